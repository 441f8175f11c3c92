/**
 * The one line on a terminal that says what is going on, drawn over and over on standard error; in
 * a pipe there is none, and none on a terminal that cannot move its cursor (TERM=dumb). Whatever
 * else is written wipes it first.
 */
const EVERY_MS = 100;
/** What is done by then was not worth a word. */
const QUIET_MS = 500;

interface Shown {
  readonly text: () => string;
  readonly sinceMs: number;
}

let shown: Shown | null = null;
let timer: NodeJS.Timeout | null = null;
let isDrawn = false;
/** Somebody is being asked, or a pager has the screen. */
let isHeld = false;

function canDraw(): boolean {
  return process.stderr.isTTY === true && process.env.TERM !== 'dumb';
}

/** Shows this from now on, once it has taken half a second. Answers how it is taken away again. */
export function showStatus(text: () => string): () => void {
  if (!canDraw()) return () => {};
  const mine = { text, sinceMs: performance.now() };
  const before = shown;
  shown = mine;
  timer ??= setInterval(draw, EVERY_MS).unref();
  return () => {
    if (shown !== mine) return;
    wipeStatus();
    shown = before;
    if (before !== null || timer === null) return;
    clearInterval(timer);
    timer = null;
  };
}

function draw(): void {
  if (shown === null || isHeld || performance.now() - shown.sinceMs < QUIET_MS) return;
  process.stderr.write(`\r${clipped(shown.text(), process.stderr.columns)}\u001b[K`);
  isDrawn = true;
}

/** For who works without giving way to timers: draws now where it is time. */
export function drawStatus(): void {
  draw();
}

/** Leaves the line empty. It is drawn again at its next turn. */
export function wipeStatus(): void {
  if (!isDrawn) return;
  process.stderr.write('\r\u001b[K');
  isDrawn = false;
}

/** Draws nothing until it is released. */
export function holdStatus(): () => void {
  wipeStatus();
  const before = isHeld;
  isHeld = true;
  return () => {
    isHeld = before;
  };
}

/** A line that is as wide as the terminal would wrap, and could not be drawn over. */
export function clipped(text: string, columns: number | undefined): string {
  const most = (columns ?? 80) - 1;
  return text.length > most ? text.slice(0, Math.max(0, most)) : text;
}
