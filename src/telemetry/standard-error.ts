import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';

const STANDARD_ERROR = 2;
/** Text that waits for a reader who does not read. Beyond, lines are dropped and counted. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** How long the last lines may take once the process is to end. */
const LAST_LINES_MS = 500;

let shared: ((line: string) => void) | null = null;
let pipe: Socket | null = null;

/**
 * Writes lines to standard error without ever waiting for its reader. Node writes to a pipe
 * synchronously: a log collector that stands still would stop every call, and the end of the
 * process. A socket on the same descriptor does not wait. What the collector does not take is
 * dropped, and how many lines that were is said when it reads again.
 */
export function standardError(): (line: string) => void {
  shared ??= isPipe(STANDARD_ERROR) ? toPipe() : toFileOrTerminal();
  return shared;
}

/**
 * The process is about to end: what the reader does not take in half a second is given up. A write
 * that waits would keep the process alive, and cannot be taken back.
 */
export function endStandardError(): void {
  const giveUp = () => {
    if (pipe !== null && pipe.writableLength > 0) process.exit();
  };
  setTimeout(giveUp, LAST_LINES_MS).unref();
}

/** Whether somebody at the other end of it may stand still. */
export function isPipe(descriptor: number): boolean {
  try {
    const stat = fstatSync(descriptor);
    return stat.isFIFO() || stat.isSocket();
  } catch {
    return false;
  }
}

function toPipe(): (line: string) => void {
  const socket = new Socket({ fd: STANDARD_ERROR, readable: false, writable: true });
  pipe = socket;
  // A log collector that goes away must not take the gate with it.
  socket.on('error', dropped);
  socket.unref();
  let lost = 0;
  return (line) => {
    if (socket.writableLength > MAX_WAITING_BYTES) {
      lost += 1;
      return;
    }
    if (lost > 0) socket.write(`${JSON.stringify({ level: 'warn', msg: LOST, lines: lost })}\n`);
    lost = 0;
    socket.write(line);
  };
}

const LOST = 'lines of the log were dropped, because nobody read standard error';

function toFileOrTerminal(): (line: string) => void {
  process.stderr.on('error', dropped);
  return (line) => void process.stderr.write(line);
}

function dropped(): void {}
