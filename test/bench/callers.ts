import { join } from 'node:path';
import { newToken, tokenDigest } from '../../src/account/token.ts';
import { storeOwner } from '../../src/admin/actor.ts';
import { type Administration, createAdministration } from '../../src/admin/administration.ts';
import { systemClock } from '../../src/clock.ts';
import { parseConfig } from '../../src/config/load.ts';
import { encodeRecord, withVersion } from '../../src/registry/codec.ts';
import { registryKeys } from '../../src/store/keys.ts';
import type { RedisConnection } from '../../src/store/redis.ts';
import { account, idOf } from '../contract/registry-records.ts';
import { openWithRegistry } from '../support/registry.ts';
import { APPLICATIONS } from './mixed.ts';

/** A service account and its token. */
export interface Caller {
  readonly id: string;
  readonly name: string;
  readonly token: string;
}

export const TEAM = 'delivery';
export const ROLE = 'deployer';
export const KEY_PREFIX = 'sallyport';

const READ_ROLE = 'reader';
const BATCH = 1000;
const owner = storeOwner('bench', 'command-line');

export interface Population {
  /** Accounts in the registry, those that call included. */
  readonly accounts: number;
  readonly callers: number;
}

/**
 * Fills Redis: those who call are created as an administrator would create them, the others, which
 * are only there to be many, are written as records. Every account is there a second time for the
 * peers, as experts of theirs would keep it: one string by the digest of its token.
 */
export async function createCallers(
  url: string,
  redis: RedisConnection,
  folder: string,
  wanted: Population,
): Promise<Caller[]> {
  const { config } = parseConfig(
    JSON.stringify({ store: { kind: 'redis', url, keyPrefix: KEY_PREFIX } }),
    join(folder, 'x.yaml'),
  );
  const stores = await openWithRegistry(config);
  try {
    const callers = await createReal(
      createAdministration({ store: stores.store, clock: systemClock, instance: null }),
      wanted.callers,
    );
    for (const batch of inBatches(callers)) await redis.call('MSET', ...batch.flatMap(peerRecord));
    await createFiller(redis, wanted.accounts - wanted.callers);
    return callers;
  } finally {
    await stores.close();
  }
}

/** The role comes by way of a team, as it does where several teams share a gate. */
async function createReal(administration: Administration, count: number): Promise<Caller[]> {
  await administration.createRole(owner, { name: READ_ROLE, permissions: ['deployments:read'] });
  await administration.createRole(owner, { name: ROLE, permissions: ['deployments:*'] });
  await administration.createTeam(owner, { name: TEAM, applications: [...APPLICATIONS] });
  const callers: Caller[] = [];
  for (let n = 0; n < count; n += 1) {
    const name = `pipeline-${n}`;
    const teams = [{ team: TEAM, role: ROLE }];
    const made = await administration.createServiceAccount(owner, { name, role: READ_ROLE, teams });
    callers.push({ id: made.account.id, name, token: made.token });
  }
  return callers;
}

async function createFiller(redis: RedisConnection, count: number): Promise<void> {
  const keys = registryKeys(KEY_PREFIX);
  for (const batch of inBatches(Array.from({ length: Math.max(0, count) }, (_, n) => n))) {
    const records = batch.map((n) => withVersion(encodeRecord(account(n, { role: READ_ROLE })), 1));
    await redis.call(
      'MSET',
      ...batch.flatMap((n, index) => [keys.account(idOf(n)), records[index]!]),
    );
    await redis.call('ZADD', keys.accounts, ...batch.flatMap((n) => [0, idOf(n)]));
    const strangers = batch.map((n) => ({
      id: idOf(n),
      name: `account-${n}`,
      token: newToken(idOf(n)),
    }));
    await redis.call('MSET', ...strangers.flatMap(peerRecord));
  }
}

/** Key and value of an account as the peers look it up. */
function peerRecord({ id, name, token }: Caller): readonly [string, string] {
  return [`bench:token:${tokenDigest(token)}`, [id, name, ROLE, TEAM].join('|')];
}

function inBatches<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / BATCH) }, (_, n) =>
    items.slice(n * BATCH, (n + 1) * BATCH),
  );
}
