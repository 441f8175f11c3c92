import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ports that the system gives to outgoing connections and to `listen(0)` (Linux: from 32,768 on): what is free here stays free until whoever asked
 * for it listens there, and between its end and its next start. Above those that services are known by.
 */
const RANGE = { first: 15_000, afterLast: 32_000 } as const;
/** Test files that run at the same time look in parts of their own, so that none takes what another one's server has left for a moment. */
const PARTS = 4;
const TRIES = 200;
/** Given out in this process, and perhaps not listened on yet. */
const given = new Set<number>();

/** A port of the loopback that nobody listens on, and that nobody else here is given. */
export async function freePort(): Promise<number> {
  const share = Math.floor((RANGE.afterLast - RANGE.first) / PARTS);
  const first = RANGE.first + share * (Number(process.env.VITEST_POOL_ID ?? 0) % PARTS);
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const port = first + randomInt(share);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error(`no port is free: ${TRIES} tries from ${first} to ${first + share}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
