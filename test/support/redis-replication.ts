import { setTimeout as sleep } from 'node:timers/promises';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import type { RedisServer } from './redis-server.ts';

/** Who may do everything on the servers of a topology. Null: the servers ask nobody. */
export type RedisAdmin = { readonly username: string; readonly password: string } | null;

/**
 * The user as whom replicas follow. It exists apart from the others, so that it alone can be shut
 * out.
 */
export const REPLICA_USER = { username: 'replica', password: 'replica-password' } as const;

/**
 * An election of the sentinels that nobody wins is repeated after twice their failover-timeout (6
 * s).
 */
const SETTLE_MS = 40_000;
const GIVEN_UP_MS = 15_000;

/** A connection with all rights to one server, for tests that look at it or change it. */
export function adminOf(server: RedisServer, admin: RedisAdmin = null): RedisConnection {
  const { username, password } = admin ?? { username: null, password: null };
  return connectRedis({
    url: server.url,
    username,
    password,
    tls: null,
    name: 'admin',
    commandTimeoutMs: 15_000,
  });
}

/** Does one thing as administrator. */
export async function asAdmin<T>(
  server: RedisServer,
  admin: RedisAdmin,
  work: (root: RedisConnection) => Promise<T>,
): Promise<T> {
  const root = adminOf(server, admin);
  try {
    await root.ready(15_000);
    return await work(root);
  } finally {
    root.close();
  }
}

/** Lets a server be followed, and follow others, as the user for replicas. */
export async function allowReplication(server: RedisServer, admin: RedisAdmin): Promise<void> {
  await asAdmin(server, admin, async (root) => {
    const { username, password } = REPLICA_USER;
    await root.call(
      'ACL',
      'SETUSER',
      username,
      'reset',
      'on',
      `>${password}`,
      '+psync',
      '+replconf',
      '+ping',
    );
    await root.call('CONFIG', 'SET', 'masteruser', username, 'masterauth', password);
    // By default a primary waits for five seconds in case further replicas come.
    await root.call('CONFIG', 'SET', 'repl-diskless-sync-delay', 0);
  });
}

/**
 * From now on nothing that this server accepts reaches a replica, while both run on and answer
 * everybody else. Killing it now loses what it accepted since: a failover with a lost tail.
 */
export async function blockReplication(
  primary: RedisServer,
  admin: RedisAdmin = null,
): Promise<void> {
  await asAdmin(primary, admin, async (root) => {
    await root.call('ACL', 'SETUSER', REPLICA_USER.username, 'off');
    await root.call('CLIENT', 'KILL', 'TYPE', 'replica');
    await until('no replica follows', async () =>
      /\r\nconnected_slaves:0\r\n/.test(await infoOf(root)),
    );
  });
}

/**
 * Resolves once a replica has all that this primary (of no Cluster) has taken. That its link is up
 * says too little: behind a full synchronisation the primary waits for a word of the replica, which
 * may take a second, before it sends what came since.
 */
export async function replicated(primary: RedisServer, admin: RedisAdmin): Promise<void> {
  await asAdmin(primary, admin, async (root) => {
    // WAIT is about what its own connection has written.
    await root.call('SET', 'test:replicated', 1);
    await root.call('DEL', 'test:replicated');
    await until(
      'the replica has everything',
      async () => (await root.call('WAIT', 1, 5_000)) === 1,
    );
  });
}

export async function infoOf(root: RedisConnection, section = 'replication'): Promise<string> {
  return String(await root.call('INFO', section));
}

/**
 * Asks for something that takes its time and may be given up on the way: once it was accepted,
 * again only when it should long have happened, because asking anew disturbs what is under way.
 */
export async function askUntil(
  what: string,
  holds: () => Promise<boolean>,
  ask: () => Promise<unknown>,
): Promise<void> {
  let askedMs = Number.NEGATIVE_INFINITY;
  await until(what, async () => {
    if (await holds()) return true;
    if (performance.now() - askedMs < GIVEN_UP_MS) return false;
    await ask();
    askedMs = performance.now();
    return false;
  });
}

/** Throws when it does not become true within the time. */
export async function until(
  what: string,
  holds: () => Promise<boolean>,
  deadlineMs = SETTLE_MS,
): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!(await holds().catch(() => false))) {
    if (performance.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await sleep(20);
  }
}
