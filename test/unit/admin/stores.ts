import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRoles } from '../../../src/account/role.ts';
import type { AdminActor } from '../../../src/admin/actor.ts';
import { storeOwner } from '../../../src/admin/actor.ts';
import { type Administration, createAdministration } from '../../../src/admin/administration.ts';
import { AdminError } from '../../../src/admin/error.ts';
import type { Clock } from '../../../src/clock.ts';
import { openEmbeddedRegistry } from '../../../src/registry/embedded/registry.ts';
import type { RegistryStore } from '../../../src/registry/port.ts';
import { RedisRegistryStore } from '../../../src/registry/redis/registry.ts';
import { connectRedis } from '../../../src/store/redis.ts';
import { cheapenPasswords } from '../../support/cheap-passwords.ts';
import { findRedisServer, startRedis } from '../../support/redis-server.ts';

export const NOW_MS = Date.parse('2026-05-04T10:00:00Z');
export const owner: AdminActor = storeOwner('tester', 'command-line');

/** A registry in a fresh store, with the administration over it. */
export interface Bench {
  readonly store: RegistryStore;
  readonly admin: Administration;
  readonly clock: Clock & { ms: number };
  close(): Promise<void>;
}

export const STORES = ['embedded', 'redis'] as const;

/**
 * Null for a store that cannot be run here. Passwords cost little in this process from then on.
 */
export async function openBench(kind: (typeof STORES)[number]): Promise<Bench | null> {
  if (kind === 'redis' && findRedisServer() === null) return null;
  cheapenPasswords();
  const { store, close } = kind === 'redis' ? await redisStore() : embeddedStore();
  const clock = { ms: NOW_MS, wallMs: () => clock.ms, monotonicMs: () => clock.ms };
  await store.initialise(seededRoles(new Date(NOW_MS).toISOString()));
  return { store, clock, admin: createAdministration({ store, clock, instance: null }), close };
}

function embeddedStore() {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-admin-'));
  const store = openEmbeddedRegistry(join(folder, 'registry.db'));
  const close = async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  };
  return { store, close };
}

async function redisStore() {
  const server = await startRedis();
  const connection = connectRedis({
    url: server.url,
    username: null,
    password: null,
    tls: null,
    name: 'admin-test',
  });
  const store = new RedisRegistryStore(connection, { keyPrefix: 'test', name: 'admin-test' });
  const close = async () => {
    await store.close();
    await server.stop();
  };
  return { store, close };
}

/** The `AdminError` that a promise is rejected with; anything else fails the test. */
export async function refusal(promise: Promise<unknown>): Promise<AdminError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof AdminError) return error;
    throw error;
  }
  throw new Error('was expected to be refused');
}

/** All `change` events, oldest first. */
export async function changesOf(
  store: RegistryStore,
  account: string | null = null,
): Promise<Record<string, unknown>[]> {
  const page = await store.changes({ account, before: null, limit: 500 });
  return page.items.map((event) => JSON.parse(event) as Record<string, unknown>).reverse();
}
