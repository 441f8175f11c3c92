import type { StoryTiming } from '../../admin/story.ts';
import { type Html, html, type Slot } from '../html.ts';
import { msWords } from '../words.ts';

/** Whose time a request took: a bar, and the same in words. */
export function timingBar({ totalMs, gateMs, upstreamMs, restMs }: StoryTiming): Html {
  const parts = [
    { name: 'gate', words: 'Gate', ms: gateMs },
    { name: 'upstream', words: 'Upstream, until it responded', ms: upstreamMs },
    { name: 'rest', words: 'Transfer of the bodies', ms: restMs },
  ].flatMap(({ ms, ...part }) => (ms === null ? [] : [{ ...part, ms }]));
  const total = html`<strong>${msWords(totalMs)}</strong> from the first byte of the request to the last of the response`;
  if (parts.length === 0) return html`<p>${total}</p>`;
  const whole = Math.max(
    Number.MIN_VALUE,
    parts.reduce((sum, { ms }) => sum + ms, 0),
  );
  let x = 0;
  const bars = parts.map(({ name, ms }): Slot => {
    const width = (ms / whole) * 100;
    const drawn = html`<rect class="${name}" x="${x.toFixed(2)}" width="${width.toFixed(2)}" height="1"/>`;
    x += width;
    return drawn;
  });
  return html`<div class="timing"><p>${total}</p>
<svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">${bars}</svg>
<ul class="legend">${parts.map(({ name, words, ms }) => html`<li class="key ${name}">${words}: ${msWords(ms)}</li>`)}</ul></div>`;
}
