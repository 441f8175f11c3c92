/**
 * Preloaded into a gate (`--import`): tells how long its event loop's longest single turn took, in
 * processor time of its thread. Whoever connects to the socket in `TURN_PROBE_FOLDER` begins a
 * measurement, and gets the answer by ending their side. Meanwhile the loop never sleeps: from one
 * check phase to the next is just one turn.
 *
 * The kernel counts a thread's time by ticks of up to 4 ms, so a turn is the lesser of that and of
 * the time that passed. With `TURN_PROBE_PROFILE` the functions of the longest turn are told, too.
 */
import { Session } from 'node:inspector';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';

export interface Turns {
  readonly longestMs: number;
  readonly turns: number;
  /** Turns of more than 20 ms. */
  readonly over: number;
  /** Of the longest turn: functions by how long they were on the stack, in milliseconds. */
  readonly functions: readonly string[];
}

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
    readonly children?: readonly number[];
  }[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const LIMIT_MS = 20;
const NAMED = 40;
const folder = process.env.TURN_PROBE_FOLDER;
const profiles = process.env.TURN_PROBE_PROFILE !== undefined;

if (folder !== undefined && isMainThread) {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const end = begin();
    socket.resume().on('error', () => socket.destroy());
    socket.once('end', () => void end().then((found) => socket.end(JSON.stringify(found))));
  });
  server.listen(join(folder, `${process.pid}.sock`)).unref();
}

function begin(): () => Promise<Turns> {
  const session = profiles ? new Session() : null;
  session?.connect();
  session?.post('Profiler.enable');
  session?.post('Profiler.setSamplingInterval', { interval: 250 });
  session?.post('Profiler.start');
  let goesOn = true;
  let [turns, over, longestMs] = [0, 0, 0];
  let longest = { from: 0, to: 0 };
  let before = { passed: performance.now(), used: usedMs() };
  setImmediate(function look() {
    const now = { passed: performance.now(), used: usedMs() };
    const ms = Math.min(now.passed - before.passed, now.used - before.used);
    turns += 1;
    if (ms > LIMIT_MS) over += 1;
    if (ms > longestMs) {
      longestMs = ms;
      longest = { from: before.passed, to: now.passed };
    }
    before = now;
    if (goesOn) setImmediate(look);
  });
  return async () => {
    goesOn = false;
    const functions = session === null ? [] : await functionsIn(session, longest);
    return { longestMs, turns, over, functions };
  };
}

function usedMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e3;
}

async function functionsIn(
  session: Session,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<readonly string[]> {
  const offsetUs = Number(process.hrtime.bigint() / 1000n) - performance.now() * 1e3;
  const profile = await new Promise<Profile>((resolve, reject) =>
    session.post('Profiler.stop', (error, found) =>
      error === null ? resolve(found.profile as unknown as Profile) : reject(error),
    ),
  );
  session.disconnect();
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)),
  );
  const ms = new Map<string, number>();
  let atUs = profile.startTime;
  for (const [index, sample] of profile.samples.entries()) {
    const tookUs = profile.timeDeltas[index] ?? 0;
    atUs += tookUs;
    if (atUs < from * 1e3 + offsetUs || atUs > to * 1e3 + offsetUs) continue;
    const stack = new Set<string>();
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) {
      const frame = nodes.get(id)?.callFrame;
      const file = frame?.url.split('/').slice(-2).join('/');
      stack.add(`${frame?.functionName} ${file}:${(frame?.lineNumber ?? 0) + 1}`);
    }
    for (const name of stack) ms.set(name, (ms.get(name) ?? 0) + tookUs / 1e3);
  }
  return [...ms]
    .sort(([, one], [, other]) => other - one)
    .slice(0, NAMED)
    .map(([name, took]) => `${took.toFixed(1)} ${name}`);
}
