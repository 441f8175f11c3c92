/**
 * `npm run prove -- abuse [CONNECTIONS]`: ten thousand idle TLS connections (or as many as are
 * asked for) beside an honest client, twice, and what each of them costs the gate in memory; then
 * every abuse of test/abuse many times as hard. Fails when the gate does not let go of all of it
 * within a minute.
 *
 * What the gate has freed after so many connections the C library (glibc) keeps for the next ones
 * instead of giving it back to the system: so here the second time must not make the process larger
 * than the first one did, and what is in use, and the descriptors, must be what they were. With
 * jemalloc (`LD_PRELOAD=libjemalloc.so.2 MALLOC_CONF=background_thread:true`) the process itself
 * gets as small again.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { ABUSES } from '../abuse/abuses.ts';
import { many, openTls, Witness, warmUp } from '../abuse/clients.ts';
import {
  type AbusedGate,
  type Holdings,
  mebibytes,
  shown,
  startAbusedGate,
} from '../abuse/gate.ts';

const CONNECTIONS = Number(process.argv[2] ?? 10_000);
/** Below the connections that the upstream may have. */
const COUNT = 400;
const ROUNDS = 2;
const SETTLE_MS = 60_000;
/** Besides the connections: the store, the upstream, libraries. */
const SPARE_DESCRIPTORS = 500;

const missing = missingFor(CONNECTIONS);
if (missing !== null) console.log(`skipped: ${missing}`);
else {
  await idle();
  await hard();
}

/** Both ends of the connections need descriptors, each in a process of its own. */
function missingFor(connections: number): string | null {
  if (!existsSync('/proc/self/limits')) return 'no /proc to see memory and limits in';
  const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  // Node raises the soft limit to the hard one by itself when it starts.
  const wanted = connections + SPARE_DESCRIPTORS;
  return Number(soft) < wanted
    ? `${wanted} open files are needed, ${soft} are allowed (ulimit -n)`
    : null;
}

/** Each connection has made one request, as a browser's or a pool's has, and then says nothing. */
async function idle(): Promise<void> {
  const gate = await startAbusedGate({
    connections: CONNECTIONS + 1000,
    connectionsPerAddress: CONNECTIONS + 1000,
    idleTimeoutMs: 600_000,
  });
  await warmUp(gate, 200, 40);
  const baseline = await gate.holdings();
  console.log(`before: ${shown(baseline)}`);
  const first = await crowd(gate, baseline);
  await settle(gate, { ...baseline, rssBytes: first.rssBytes });
  await crowd(gate, await gate.holdings());
  await settle(gate, { ...baseline, rssBytes: first.rssBytes });
  await gate.stop();
}

/** Comes, stays a while, and goes. @returns what the gate held at its height */
async function crowd(gate: AbusedGate, before: Holdings): Promise<Holdings> {
  const sockets: Socket[] = [];
  const cpuBefore = gate.cpuSeconds;
  await many(CONNECTIONS, async () => void sockets.push(await askOnce(gate)));
  const cpuEach = ((gate.cpuSeconds - cpuBefore) / CONNECTIONS) * 1e6;
  const witness = new Witness(gate);
  const full = await gate.holdings();
  const each = (key: 'rssBytes' | 'inUseBytes') =>
    ((full[key] - before[key]) / CONNECTIONS / 1024).toFixed(1);
  console.log(
    `${CONNECTIONS} idle TLS connections: ${shown(full)}; handshake and one request each: ${cpuEach.toFixed(0)} us of processor time`,
  );
  console.log(
    `one idle connection: ${each('rssBytes')} KiB resident, of which ${each('inUseBytes')} KiB are JavaScript's`,
  );
  await new Promise((resolve) => setTimeout(resolve, 5000));
  console.log(`${await witness.stop()} answers to another client meanwhile`);
  for (const socket of sockets) socket.destroy();
  return full;
}

async function askOnce(gate: AbusedGate): Promise<Socket> {
  const socket = await openTls(gate);
  const answered = new Promise<void>((resolve, reject) => {
    socket.once('data', () => resolve());
    socket.once('close', () => reject(new Error('the gate closed a connection')));
  });
  socket.write(`GET /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${gate.token}\r\n\r\n`);
  await answered;
  return socket;
}

async function hard(): Promise<void> {
  const gate = await startAbusedGate({ headTimeoutMs: 10_000, idleTimeoutMs: 5000 });
  await warmUp(gate, COUNT, 20);
  const baseline = await gate.holdings();
  console.log(`before: ${shown(baseline)}`);
  let largestBytes = baseline.rssBytes;
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const { name, run } of ABUSES) {
      const witness = new Witness(gate);
      const cpuBefore = gate.cpuSeconds;
      await run(gate, COUNT);
      if (round === 1) largestBytes = Math.max(largestBytes, gate.rssBytes);
      const cpu = (gate.cpuSeconds - cpuBefore).toFixed(2);
      console.log(
        `${COUNT} ${name}: ${await witness.stop()} answers to others, ${mebibytes(gate.rssBytes)} MiB resident, ${cpu} s of processor time`,
      );
    }
    await settle(gate, { ...baseline, rssBytes: largestBytes });
  }
  await gate.stop();
}

async function settle(gate: AbusedGate, baseline: Holdings): Promise<void> {
  try {
    const settledMs = await gate.settled(baseline, SETTLE_MS);
    console.log(`${(settledMs / 1000).toFixed(1)} s afterwards: ${shown(await gate.holdings())}`);
  } catch (error) {
    process.exitCode = 1;
    console.log((error as Error).message);
  }
}
