import { type Html, html, type Slot } from '../html.ts';
import { countWords, msWords } from '../words.ts';

/** Small charts as SVG, made on the server. Figures stand beside them as a table, so nothing is said by a picture alone. */

const WIDTH = 720;
const HEIGHT = 200;
const LEFT = 46;
const BOTTOM = 22;
const TOP = 8;
const PLOT_WIDTH = WIDTH - LEFT - 6;
const PLOT_HEIGHT = HEIGHT - TOP - BOTTOM;

export interface Bin {
  /** Beginning of the bin: `07:15`. */
  readonly label: string;
  readonly letIn: number;
  readonly refused: number;
}

/** Calls over time: let in below, refused on top. */
export function callsChart(bins: readonly Bin[], title: string): Html {
  const most = niceTop(Math.max(1, ...bins.map(({ letIn, refused }) => letIn + refused)));
  const step = PLOT_WIDTH / bins.length;
  const height = (count: number) => (count / most) * PLOT_HEIGHT;
  const bars = bins.map(({ letIn, refused }, index) => {
    const x = LEFT + index * step + step * 0.1;
    const width = Math.max(1, step * 0.8);
    const base = TOP + PLOT_HEIGHT;
    return html`${bar('let-in', x, base - height(letIn), width, height(letIn))}${bar('refused', x, base - height(letIn) - height(refused), width, height(refused))}`;
  });
  return frame(
    title,
    axis(most, (value) => countWords(value)),
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
export function durationChart(lines: readonly Line[], labels: readonly string[], title: string): Html {
  const most = niceTop(Math.max(0.1, ...lines.flatMap(({ values }) => values.map((value) => value ?? 0))));
  const step = PLOT_WIDTH / Math.max(1, labels.length);
  const x = (index: number) => (LEFT + (index + 0.5) * step).toFixed(1);
  const y = (value: number) => (TOP + PLOT_HEIGHT - (value / most) * PLOT_HEIGHT).toFixed(1);
  const drawn = lines.flatMap(({ name, values }) =>
    runs(values).map(([first, run]) =>
      run.length === 1
        ? html`<polyline class="${name}" points="${(Number(x(first)) - 3).toFixed(1)},${y(run[0] ?? 0)} ${(Number(x(first)) + 3).toFixed(1)},${y(run[0] ?? 0)}"/>`
        : html`<polyline class="${name}" points="${run.map((value, index) => `${x(first + index)},${y(value)}`).join(' ')}"/>`,
    ),
  );
  return frame(title, axis(most, msWords), drawn, labels);
}

/** Unbroken stretches: where each begins, and its values. */
function runs(values: readonly (number | null)[]): readonly (readonly [first: number, values: readonly number[]])[] {
  const found: [number, number[]][] = [];
  values.forEach((value, index) => {
    if (value === null) return;
    const last = found.at(-1);
    if (last !== undefined && last[0] + last[1].length === index) last[1].push(value);
    else found.push([index, [value]]);
  });
  return found;
}

const LABELS = 6;

function frame(title: string, grid: Slot, content: Slot, labels: readonly string[]): Html {
  const every = Math.max(1, Math.ceil(labels.length / LABELS));
  const step = PLOT_WIDTH / Math.max(1, labels.length);
  const times = labels.map((label, index) =>
    index % every === 0 ? html`<text x="${(LEFT + index * step).toFixed(1)}" y="${HEIGHT - 6}">${label}</text>` : '',
  );
  return html`<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}">${grid}${content}${times}</svg>`;
}

function axis(most: number, words: (value: number) => string): Slot {
  return [0, 0.5, 1].map((part) => {
    const y = TOP + PLOT_HEIGHT * (1 - part);
    return html`<line class="grid" x1="${LEFT}" x2="${WIDTH - 6}" y1="${y}" y2="${y}"/><text x="${LEFT - 6}" y="${y + 4}" text-anchor="end">${words(most * part)}</text>`;
  });
}

/** The next round number: 1, 2, 4, 10, 20, … so that its half is round too. */
function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].map((factor) => factor * power).find((top) => top >= value) ?? value;
}

/** Horizontal bars with their words and counts. */
export function barList(rows: readonly { readonly words: Slot; readonly count: number }[]): Html {
  const most = Math.max(1, ...rows.map(({ count }) => count));
  return html`<ul class="bars">${rows.map(
    ({ words, count }) =>
      html`<li><span>${words}</span><span class="number">${countWords(count)}</span><svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true"><rect width="${((count / most) * 100).toFixed(2)}" height="1"/></svg></li>`,
  )}</ul>`;
}
