import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Below the ports that the system gives to outgoing connections and to `listen(0)` (Linux: from
 * 32,768 on): what is free here stays free until whoever asked for it listens there, and between
 * its end and its next start. Above those that services are known by.
 */
const RANGE = { first: 15_000, afterLast: 32_000 } as const;
const TRIES = 200;
/**
 * A file for each process of this user that was given ports, named by its id, with a line for each:
 * for the tests that run beside it.
 */
const GIVEN = join(tmpdir(), `sallyport-ports-${process.getuid?.() ?? 0}`);

/**
 * A port of the loopback that nobody listens on, and that no other test is given while this process
 * lives.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const port = randomInt(RANGE.first, RANGE.afterLast);
    if (given().has(port)) continue;
    appendFileSync(join(GIVEN, String(process.pid)), `${port}\n`);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port is free: ${TRIES} tries from ${RANGE.first} to ${RANGE.afterLast}`);
}

/**
 * Ports that may be listened on soon, or again. What processes that have ended leave behind is
 * taken away.
 */
function given(): ReadonlySet<number> {
  mkdirSync(GIVEN, { recursive: true });
  const ports = new Set<number>();
  for (const name of readdirSync(GIVEN)) {
    const file = join(GIVEN, name);
    if (lives(Number(name)))
      for (const port of readFileSync(file, 'utf8').trim().split('\n')) ports.add(Number(port));
    else rmSync(file, { force: true });
  }
  return ports;
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
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
