import { type Html, html, type Slot } from '../html.ts';
import { bytesWords, countWords, msWords } from '../words.ts';

/**
 * Small charts as SVG, made on the server. Figures stand beside them as a table, so nothing is said
 * by a picture alone. Letters stand beside the picture and not in it: they keep their size, however
 * wide it is. A script of ours lets who looks point at a moment, and choose a part of the time.
 */

/** In units of the picture, which is as wide as there is room. */
const WIDTH = 1000;
const HEIGHT = 100;

/** What the bins of a chart are. */
export interface Axis {
  /** Beginning of each: `07:15`. */
  readonly labels: readonly string[];
  /** The same, in ms since 1970. */
  readonly startsMs: readonly number[];
  /** How long each is. */
  readonly binMs: number;
  /**
   * Address of the same page for another part of the time, up to where `since` and `until` follow;
   * null: there is none.
   */
  readonly zoom: string | null;
}

/** One part of a stack of bars. */
export interface Bars {
  readonly name: 'let-in' | 'refused' | 'in' | 'out';
  readonly words: string;
  readonly values: readonly number[];
}

/** Calls over time: let in below, refused on top. */
export function callsChart(axis: Axis, bars: readonly Bars[], title: string): Html {
  return barsChart(axis, bars, title, countWords);
}

export function bytesChart(axis: Axis, bars: readonly Bars[], title: string): Html {
  return barsChart(axis, bars, title, bytesWords);
}

function barsChart(
  axis: Axis,
  bars: readonly Bars[],
  title: string,
  words: (value: number) => string,
): Html {
  const sums = axis.labels.map((_, at) => bars.reduce((sum, { values }) => sum + values[at]!, 0));
  const most = niceTop(Math.max(1, ...sums));
  const step = WIDTH / axis.labels.length;
  const drawn = axis.labels.map((_, at) => {
    let base = HEIGHT;
    return bars.map(({ name, values }) => {
      const height = (values[at]! / most) * HEIGHT;
      base -= height;
      return bar(name, (at + 0.1) * step, base, step * 0.8, height);
    });
  });
  const readouts = axis.labels.map((_, at) =>
    bars.map(({ words: what, values }) => `${words(values[at]!)} ${what}`).join(', '),
  );
  return frame(axis, title, most, words, drawn, readouts);
}

function bar(name: string, x: number, y: number, width: number, height: number): Slot {
  return height === 0
    ? ''
    : html`<rect class="${name}" x="${x.toFixed(1)}" y="${y.toFixed(2)}" width="${width.toFixed(1)}" height="${height.toFixed(2)}"/>`;
}

export interface Line {
  readonly name: 'typical' | 'slow';
  /** What it is: `half within`. */
  readonly words: string;
  /** Milliseconds per bin; null where nothing was measured. */
  readonly values: readonly (number | null)[];
}

/** Durations over time. Where nothing was measured the line is broken. */
export function durationChart(axis: Axis, lines: readonly Line[], title: string): Html {
  const most = niceTop(
    Math.max(0.1, ...lines.flatMap(({ values }) => values.map((value) => value ?? 0))),
  );
  const step = WIDTH / Math.max(1, axis.labels.length);
  const x = (index: number) => (index + 0.5) * step;
  const y = (value: number) => (HEIGHT - (value / most) * HEIGHT).toFixed(2);
  const drawn = lines.flatMap(({ name, values }) =>
    runs(values).map(([first, run]) => {
      const points =
        run.length === 1
          ? // A moment alone is seen as a dash.
            [-0.4, 0.4].map((by) => `${(x(first) + by * step).toFixed(1)},${y(run[0] ?? 0)}`)
          : run.map((value, index) => `${x(first + index).toFixed(1)},${y(value)}`);
      return html`<polyline class="${name}" points="${points.join(' ')}"/>`;
    }),
  );
  const readouts = axis.labels.map((_, at) => {
    const told = lines.flatMap(({ words, values }) =>
      values[at] == null ? [] : [`${words} ${msWords(values[at])}`],
    );
    return told.length === 0 ? 'no calls' : told.join(', ');
  });
  const words = (value: number) => (value === 0 ? '0' : msWords(value));
  return frame(axis, title, most, words, drawn, readouts);
}

/** Unbroken stretches: where each begins, and its values. */
function runs(
  values: readonly (number | null)[],
): readonly (readonly [first: number, values: readonly number[]])[] {
  const found: [number, number[]][] = [];
  values.forEach((value, index) => {
    if (value === null) return;
    const last = found.at(-1);
    if (last !== undefined && last[0] + last[1].length === index) last[1].push(value);
    else found.push([index, [value]]);
  });
  return found;
}

/** Times below a chart; every other one is left out where there is little room. */
const LABELS = 6;

function frame(
  { labels, startsMs, binMs, zoom }: Axis,
  title: string,
  most: number,
  words: (value: number) => string,
  content: Slot,
  readouts: readonly string[],
): Html {
  const marks = Array.from(
    { length: Math.min(LABELS, labels.length) },
    (_, mark) => labels[Math.floor((mark * labels.length) / LABELS)],
  );
  const points = labels.map((label, at) => [startsMs[at], `${label}: ${readouts[at]}`]);
  const lines = [0, 0.5, 1].map(
    (part) =>
      html`<line class="grid" x1="0" x2="${WIDTH}" y1="${part * HEIGHT}" y2="${part * HEIGHT}"/>`,
  );
  return html`<div class="chart-frame" data-chart="${JSON.stringify(points)}" data-bin="${binMs}" data-title="${title}"${zoom === null ? '' : html` data-zoom="${zoom}"`}>
<div class="chart-y" aria-hidden="true">${[1, 0.5, 0].map((part) => html`<span>${words(most * part)}</span>`)}</div>
<div class="chart-plot"><svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${title}">${lines}${content}</svg></div>
<div class="chart-x" aria-hidden="true">${marks.map((mark) => html`<span>${mark}</span>`)}</div>
<p class="chart-readout" hidden></p>
</div>`;
}

/** The next round number: 1, 2, 4, 10, 20, … so that its half is round too. */
function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return (
    [1, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10]
      .map((factor) => factor * power)
      .find((top) => top >= value) ?? value
  );
}

/** Calls over time, as small as a word. Beside figures, and so for the eye alone. */
export function spark(values: readonly number[]): Html {
  const most = Math.max(1, ...values);
  const step = WIDTH / Math.max(1, values.length);
  const bars = values.map((value, at) => {
    const height = (value / most) * HEIGHT;
    return bar('let-in', at * step, HEIGHT - height, step * 0.9, height);
  });
  return html`<svg class="spark" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true">${bars}</svg>`;
}

export function legend(rows: readonly (readonly [name: string, words: string])[]): Html {
  return html`<ul class="legend">${rows.map(([name, words]) => html`<li class="key ${name}">${words}</li>`)}</ul>`;
}

/** Horizontal bars with their words and counts. */
export function barList(rows: readonly { readonly words: Slot; readonly count: number }[]): Html {
  const most = Math.max(1, ...rows.map(({ count }) => count));
  return html`<ul class="bars">${rows.map(
    ({ words, count }) =>
      html`<li><span>${words}</span><span class="number">${countWords(count)}</span><svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true"><rect width="${((count / most) * 100).toFixed(2)}" height="1"/></svg></li>`,
  )}</ul>`;
}
