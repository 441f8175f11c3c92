import { type Html, html, type Slot } from '../html.ts';
import { countWords, msWords } from '../words.ts';

/**
 * Small charts as SVG, made on the server. Figures stand beside them as a table, so nothing is said
 * by a picture alone.
 */

/** Letters keep their size, so a chart in half the width is drawn in half the units. */
const WIDE = 860;
const NARROW = 430;
const HEIGHT = 200;
const LEFT = 52;
const RIGHT = 6;
const BOTTOM = 22;
const TOP = 10;
const PLOT_HEIGHT = HEIGHT - TOP - BOTTOM;

function plotWidth(width: number): number {
  return width - LEFT - RIGHT;
}

export interface Bin {
  /** Beginning of the bin: `07:15`. */
  readonly label: string;
  readonly letIn: number;
  readonly refused: number;
}

/** Calls over time: let in below, refused on top. */
export function callsChart(bins: readonly Bin[], title: string): Html {
  const most = niceTop(Math.max(1, ...bins.map(({ letIn, refused }) => letIn + refused)));
  const step = plotWidth(WIDE) / bins.length;
  const height = (count: number) => (count / most) * PLOT_HEIGHT;
  const bars = bins.map(({ letIn, refused }, index) => {
    const x = LEFT + index * step + step * 0.1;
    const width = Math.max(1, step * 0.8);
    const base = TOP + PLOT_HEIGHT;
    return html`${bar('let-in', x, base - height(letIn), width, height(letIn))}${bar('refused', x, base - height(letIn) - height(refused), width, height(refused))}`;
  });
  return frame(
    WIDE,
    title,
    axis(WIDE, most, countWords),
    bars,
    bins.map(({ label }) => label),
  );
}

function bar(name: string, x: number, y: number, width: number, height: number): Slot {
  return height === 0
    ? ''
    : html`<rect class="${name}" x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}"/>`;
}

export interface Line {
  readonly name: 'typical' | 'slow';
  /** Milliseconds per bin; null where nothing was measured. */
  readonly values: readonly (number | null)[];
}

/** Durations over time. Where nothing was measured the line is broken. */
export function durationChart(
  lines: readonly Line[],
  labels: readonly string[],
  title: string,
): Html {
  const most = niceTop(
    Math.max(0.1, ...lines.flatMap(({ values }) => values.map((value) => value ?? 0))),
  );
  const step = plotWidth(NARROW) / Math.max(1, labels.length);
  const x = (index: number) => (LEFT + (index + 0.5) * step).toFixed(1);
  const y = (value: number) => (TOP + PLOT_HEIGHT - (value / most) * PLOT_HEIGHT).toFixed(1);
  const drawn = lines.flatMap(({ name, values }) =>
    runs(values).map(([first, run]) =>
      run.length === 1
        ? html`<polyline class="${name}" points="${(Number(x(first)) - 3).toFixed(1)},${y(run[0] ?? 0)} ${(Number(x(first)) + 3).toFixed(1)},${y(run[0] ?? 0)}"/>`
        : html`<polyline class="${name}" points="${run.map((value, index) => `${x(first + index)},${y(value)}`).join(' ')}"/>`,
    ),
  );
  return frame(
    NARROW,
    title,
    axis(NARROW, most, (value) => (value === 0 ? '0' : msWords(value))),
    drawn,
    labels,
  );
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

const LABELS = 5;

function frame(
  width: number,
  title: string,
  grid: Slot,
  content: Slot,
  labels: readonly string[],
): Html {
  const every = Math.max(1, Math.ceil(labels.length / (width === WIDE ? 2 * LABELS : LABELS)));
  const step = plotWidth(width) / Math.max(1, labels.length);
  const times = labels.map((label, index) =>
    index % every === 0
      ? html`<text x="${(LEFT + index * step).toFixed(1)}" y="${HEIGHT - 6}">${label}</text>`
      : '',
  );
  return html`<svg class="chart ${width === WIDE ? 'wide' : ''}" viewBox="0 0 ${width} ${HEIGHT}" role="img" aria-label="${title}">${grid}${content}${times}</svg>`;
}

function axis(width: number, most: number, words: (value: number) => string): Slot {
  return [0, 0.5, 1].map((part) => {
    const y = TOP + PLOT_HEIGHT * (1 - part);
    return html`<line class="grid" x1="${LEFT}" x2="${width - RIGHT}" y1="${y}" y2="${y}"/><text x="${LEFT - 6}" y="${y + 4}" text-anchor="end">${words(most * part)}</text>`;
  });
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

/** Horizontal bars with their words and counts. */
export function barList(rows: readonly { readonly words: Slot; readonly count: number }[]): Html {
  const most = Math.max(1, ...rows.map(({ count }) => count));
  return html`<ul class="bars">${rows.map(
    ({ words, count }) =>
      html`<li><span>${words}</span><span class="number">${countWords(count)}</span><svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true"><rect width="${((count / most) * 100).toFixed(2)}" height="1"/></svg></li>`,
  )}</ul>`;
}
