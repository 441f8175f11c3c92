import type { Sample } from './memory.ts';

const [WIDTH, HEIGHT] = [800, 240];
const MARGIN = { left: 50, right: 10, top: 20, bottom: 30 } as const;
const COLOURS = ['#0b6bcb', '#c2410c'];
const STEP_MIB = 50;

/** Resident memory of the gates over time, as SVG. A line is broken where a gate was restarted. */
export function memoryGraph(samples: readonly Sample[]): string {
  const seconds = Math.max(1, ...samples.map(({ at }) => at));
  const highest =
    STEP_MIB * Math.ceil(Math.max(1, ...samples.map(({ resident }) => resident)) / STEP_MIB);
  const x = (at: number) => MARGIN.left + ((WIDTH - MARGIN.left - MARGIN.right) * at) / seconds;
  const y = (mib: number) =>
    HEIGHT - MARGIN.bottom - ((HEIGHT - MARGIN.top - MARGIN.bottom) * mib) / highest;
  const text = (left: number, top: number, words: string, anchor = 'start') =>
    `<text x="${left.toFixed(0)}" y="${top.toFixed(0)}" text-anchor="${anchor}">${words}</text>`;
  const levels = Array.from({ length: highest / STEP_MIB + 1 }, (_, n) => n * STEP_MIB);
  const minutes = Array.from({ length: Math.floor(seconds / 60) + 1 }, (_, n) => n);
  const lines = Object.entries(Object.groupBy(samples, ({ gate, pid }) => `${gate} ${pid}`)).map(
    ([name, own = []]) => {
      const points = own.map(({ at, resident }) => `${x(at).toFixed(1)},${y(resident).toFixed(1)}`);
      const colour = COLOURS[Number(name.split(' ')[0])];
      return `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${points.join(' ')}"/>`;
    },
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="11">`,
    '<title>Resident memory of two gates over the time of the soak, in MiB</title>',
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    ...levels.map(
      (mib) =>
        `<path stroke="#ddd" d="M${MARGIN.left} ${y(mib).toFixed(1)}H${WIDTH - MARGIN.right}"/>${text(MARGIN.left - 6, y(mib) + 4, String(mib), 'end')}`,
    ),
    ...minutes.map((minute) => text(x(minute * 60), HEIGHT - 12, `${minute} min`, 'middle')),
    text(MARGIN.left, 13, 'resident memory of two gates, MiB'),
    ...lines,
    '</svg>',
    '',
  ].join('\n');
}
