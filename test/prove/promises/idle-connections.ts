import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryBytesOf } from '../../bench/processes.ts';
import { openAdminScene } from '../../support/admin-scene.ts';
import type { Finding } from '../promises.ts';

const CONNECTIONS = Number(process.env.IDLE_CONNECTIONS ?? 15_000);
const WARM = 200;
const ROUNDS = 3;
const REST_MS = 5_000;
/** Of the memory of the first round, beyond which a later one has not used it again. */
const MORE = 1.15;
const MB = 1e6;
const PROGRAM = join(import.meta.dirname, '..', '..', 'bench', 'idle-connections.ts');

/** `IDLE_CONNECTIONS` opens another number of them. */
export async function prove(): Promise<Finding> {
  const scene = await openAdminScene({
    accounts: 0,
    roles: 1,
    teams: 1,
    routes: 1,
    events: 0,
    connections: CONNECTIONS + 2 * WARM,
    redisUrl: null,
  });
  try {
    const bytes = () => memoryBytesOf(scene.pids);
    await openAndClose(scene.port, WARM, scene.token, bytes);
    const beforeBytes = bytes();
    const rounds: { readonly open: number; readonly left: number }[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const open = await openAndClose(scene.port, CONNECTIONS, scene.token, bytes);
      rounds.push({ open, left: bytes() });
      console.log(`round ${round + 1}: ${show(open)} open, ${show(bytes())} afterwards`);
    }
    const [first, ...later] = rounds;
    const most = Math.max(...later.map(({ open, left }) => Math.max(open, left)));
    const grown = (first?.left ?? 0) - beforeBytes;
    return {
      promise: 'memory of connections that have closed is used again by later ones',
      kept: later.length > 0 && most <= MORE * Math.max(first?.open ?? 0, first?.left ?? 0),
      figures: `${ROUNDS} times ${CONNECTIONS} TLS connections with one call each, left idle and closed: the process had ${show(beforeBytes)} before, ${rounds.map(({ open }) => show(open)).join(', ')} while they were open and ${rounds.map(({ left }) => show(left)).join(', ')} after they had closed; ${(grown / CONNECTIONS / 1024).toFixed(0)} KiB of each stay with the allocator`,
    };
  } finally {
    await scene.stop();
  }
}

/** Answers the memory while they are open. */
async function openAndClose(
  port: number,
  count: number,
  token: string,
  bytes: () => number,
): Promise<number> {
  const words = [PROGRAM, String(port), String(count), '/part-0/x', `Bearer ${token}`];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  while (!said.includes('open')) {
    if (child.exitCode !== null) throw new Error(`connections could not be opened: ${said}`);
    await sleep(100);
  }
  await sleep(REST_MS);
  const open = bytes();
  child.kill('SIGINT');
  await once(child, 'exit');
  if (!said.includes(`left ${count}`)) throw new Error(`of ${count} connections: ${said}`);
  await sleep(REST_MS);
  return open;
}

function show(bytes: number): string {
  return `${(bytes / MB).toFixed(0)} MB`;
}
