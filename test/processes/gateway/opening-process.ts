/**
 * Opens the gate of a configuration (argument: its file) again and again, in a process of its own,
 * whose files, threads and timers are nobody else's. Each time one more part opens before something
 * fails, until nothing does. Writes a line of JSON for each time.
 */
import { createHook } from 'node:async_hooks';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseConfig } from '../../../src/config/load.ts';
import { startGateway } from '../../../src/gateway/gateway.ts';
import { createLog } from '../../../src/telemetry/log.ts';

/** What one opening left behind. */
export interface Opening {
  /** How many parts were open when something failed; null: nothing did, and it was closed. */
  readonly parts: number | null;
  /** Why it failed. */
  readonly why: string | null;
  /** What is open more than before the first opening. */
  readonly left: readonly string[];
}

/** Reached only by what never closes. */
const CLOSED_MS = 10_000;

class StepFault extends Error {}

/** Those that are under way, also such as keep no process alive. */
const timers = new Map<number, string>();
let looking = false;
createHook({
  init: (id, type) => {
    if (type !== 'Timeout' || looking) return;
    const stack = new Error('a timer').stack ?? '';
    // The log is ours, and lives on: what it may have to say again is not the gate's.
    if (!stack.includes('/telemetry/repeats.ts')) timers.set(id, stack);
  },
  destroy: (id) => void timers.delete(id),
  // There are a thousand for each timer.
  trackPromises: false,
}).enable();

/** By a timer that is not counted. */
function pause(): Promise<void> {
  looking = true;
  const paused = sleep(20);
  looking = false;
  return paused;
}

/** So many parts more may open; then what comes next fails. */
let allowed = Number.POSITIVE_INFINITY;
let opened = 0;
function count(): void {
  opened += 1;
  if (opened === allowed) throw new StepFault('a step failed');
}
const { adopt, defer } = AsyncDisposableStack.prototype;
AsyncDisposableStack.prototype.adopt = function <T>(
  value: T,
  close: (value: T) => PromiseLike<void> | void,
) {
  adopt.call(this, value, close as never);
  count();
  return value;
};
AsyncDisposableStack.prototype.defer = function (close) {
  defer.call(this, close);
  count();
};

const file = process.argv[2]!;
// Out of the way of what is looked for: a configuration with faults is none that fails to open.
const { config } = parseConfig(readFileSync(file, 'utf8'), file);
const log = createLog({ format: 'json', write: () => undefined });

async function open(parts: number): Promise<Pick<Opening, 'parts' | 'why'>> {
  allowed = parts;
  opened = 0;
  try {
    const gateway = await startGateway(config, { log });
    await gateway.close({ lameDuck: false });
    return { parts: null, why: null };
  } catch (error) {
    return { parts: opened, why: (error as Error).message };
  }
}

/** Descriptors by what they are, and the number of threads and timers. */
function held(): readonly string[] {
  const files = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`).replaceAll(/\d{3,}/g, 'N')];
    } catch {
      return []; // of the look itself
    }
  });
  const threads = readdirSync('/proc/self/task').map(() => 'a thread');
  return [...files, ...threads, ...timers.values()];
}

function more(before: readonly string[]): readonly string[] {
  const known = [...before];
  return held().filter((one) => {
    const place = known.indexOf(one);
    if (place >= 0) known.splice(place, 1);
    return place < 0;
  });
}

async function leftAfter(before: readonly string[]): Promise<readonly string[]> {
  const endMs = performance.now() + CLOSED_MS;
  for (;;) {
    const left = more(before);
    if (left.length === 0 || performance.now() > endMs) return left;
    await pause();
  }
}

// What a process has from its first gate on, such as threads for files, is nobody's to close. What
// this one does not close, the next ones will not close either.
await open(Number.POSITIVE_INFINITY);
await pause();
const before = held();
// Step by step, or, if something fails by itself, once.
const first = process.argv[3] === 'whole' ? Number.POSITIVE_INFINITY : 1;
for (let parts = first; ; parts += 1) {
  const result = await open(parts);
  const line: Opening = { ...result, left: await leftAfter(before) };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  if (result.parts === null || result.parts < parts) break;
}
log.close();
