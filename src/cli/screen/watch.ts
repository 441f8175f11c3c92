import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT } from '../exit-code.ts';
import { formatKind } from '../output/printing.ts';
import { type Snapshot, snapshotOf, writeErr, writeOut } from './out.ts';
import { clipped } from './status.ts';

/** Seconds between two looks. */
export const WATCH = { usual: 2, least: 1, most: 3_600 } as const;

const ESCAPE = '\u001b';

/** What a look that failed is told as, and whether another one may go well. */
export interface Failed {
  readonly lines: readonly string[];
  readonly mayPass: boolean;
}

/**
 * Looks over and over until Ctrl-C. On a terminal the same lines are drawn anew; in a pipe each
 * snapshot that differs from the one before it is printed, behind a line that says when. The first
 * look must go well; later ones may fail for a store that cannot be reached.
 *
 * @param failed null: it was not of this kind, and ends the watching
 */
export async function watch(
  look: () => Promise<void>,
  seconds: number,
  failed: (error: unknown) => Failed,
): Promise<void> {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const show = process.stdout.isTTY === true && process.env.TERM !== 'dumb' ? drawer() : printer();
  try {
    show(await snapshotOf(look));
    while (!stop.signal.aborted) {
      await sleep(seconds * 1_000, undefined, { signal: stop.signal }).catch(() => {});
      if (!stop.signal.aborted) show(await lookAgain(look, failed));
    }
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
  process.exitCode = EXIT.done;
}

async function lookAgain(
  look: () => Promise<void>,
  failed: (error: unknown) => Failed,
): Promise<Snapshot> {
  try {
    return await snapshotOf(look);
  } catch (error) {
    const { lines, mayPass } = failed(error);
    if (!mayPass) throw error;
    return { out: '', err: lines.map((line) => `${line}\n`).join('') };
  }
}

type Show = (snapshot: Snapshot) => void;

/** Draws each snapshot over the one before it; what is below the screen is not shown. */
function drawer(): Show {
  let lines = 0;
  return ({ out, err }) => {
    const { columns, rows = 24 } = process.stdout;
    const all = `${out}${err}`.trimEnd().split('\n');
    const shown = all.slice(0, Math.max(1, rows - 1)).map((line) => clippedStyled(line, columns));
    const up = lines === 0 ? '' : `${ESCAPE}[${lines}A`;
    lines = shown.length;
    writeOut(`\r${up}${shown.map((line) => `${line}${ESCAPE}[K\n`).join('')}${ESCAPE}[J`);
  };
}

const COLOUR = new RegExp(`(${ESCAPE}\\[[\\d;]*m)`);

/** A line whose colours take no room. */
function clippedStyled(line: string, columns: number | undefined): string {
  const pieces = line.split(COLOUR);
  let left = (columns ?? 80) - 1;
  return pieces
    .map((piece, index) => {
      if (index % 2 === 1) return piece;
      const text = left <= 0 ? '' : clipped(piece, left + 1);
      left -= text.length;
      return text;
    })
    .join('');
}

function printer(): Show {
  let before: Snapshot | null = null;
  return (snapshot) => {
    if (snapshot.err !== before?.err) writeErr(snapshot.err);
    if (snapshot.out !== before?.out) writeOut(`${separator()}${snapshot.out}`);
    before = snapshot;
  };
}

/**
 * Values of JSON stand one after the other, as `jq` reads them; documents of YAML by their mark.
 */
function separator(): string {
  const kind = formatKind();
  if (kind === 'json') return '';
  return kind === 'yaml' ? '---\n' : `--- ${new Date().toISOString()}\n`;
}
