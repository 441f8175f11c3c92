import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Account } from '../../src/account/model.ts';
import { EMBEDDED_FILES } from '../../src/admin/embedded-files.ts';
import type { Config } from '../../src/config/schema.ts';
import { encodeRecord, withVersion } from '../../src/registry/codec.ts';
import { sealAll } from '../../src/registry/embedded/seal.ts';
import { registryKeys } from '../../src/store/keys.ts';
import { connectRedis, type RedisCommand } from '../../src/store/redis.ts';

/**
 * Very many accounts, as rows and keys that are written beside the program: a change each would
 * take hours for a million. They have no history, and the lists are made by whoever opens the
 * registry next. Nobody else may have it open.
 */
export async function fillRegistry(
  config: Config,
  size: number,
  accountOf: (n: number) => Account,
): Promise<void> {
  if (config.store.kind === 'embedded')
    fillFile(join(config.instance.dataDir, EMBEDDED_FILES.registry), size, accountOf);
  else await fillRedis(config.store, size, accountOf);
}

function fillFile(path: string, size: number, accountOf: (n: number) => Account): void {
  const database = new DatabaseSync(path);
  const record = database.prepare("INSERT INTO record VALUES ('account', ?, ?, 0)");
  const claim = database.prepare('INSERT INTO claim VALUES (?, ?, 0)');
  const reference = database.prepare('INSERT OR IGNORE INTO reference VALUES (?, ?, 0)');
  database.exec('PRAGMA cache_size=-500000; BEGIN');
  for (let n = 0; n < size; n += 1) {
    const account = accountOf(n);
    const owner = `account:${account.id}`;
    record.run(account.id, textOf(account));
    claim.run(`name:${account.name}`, owner);
    for (const target of targetsOf(account)) reference.run(target, owner);
  }
  // A change of its own: the folder remembers what the one before it left.
  database.exec(
    "UPDATE position SET seq = seq + 1; INSERT INTO feed SELECT seq, '[]' FROM position; DELETE FROM list_state",
  );
  sealAll(database);
  database.exec('COMMIT');
  database.close();
}

const BATCH = 1_000;

async function fillRedis(
  { url, keyPrefix }: Extract<Config['store'], { kind: 'redis' }>,
  size: number,
  accountOf: (n: number) => Account,
): Promise<void> {
  const whole = { username: null, password: null, tls: null };
  if (url === null) throw new TypeError('one Redis by its address is filled, and no other');
  const redis = connectRedis({ ...whole, url, name: 'fill', commandTimeoutMs: 60_000 });
  const keys = registryKeys(keyPrefix);
  for (let begin = 0; begin < size; begin += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, size - begin) }, (_, n) =>
      accountOf(begin + n),
    );
    const users = new Map<string, string[]>();
    for (const account of batch)
      for (const target of targetsOf(account))
        users.set(target, [...(users.get(target) ?? []), `account:${account.id}`]);
    await redis.pipeline([
      ['MSET', ...batch.flatMap((account) => [keys.account(account.id), textOf(account)])],
      ['ZADD', keys.accounts, ...batch.flatMap(({ id }) => [0, id])],
      ['HSET', keys.claims, ...batch.flatMap(({ id, name }) => [`name:${name}`, `account:${id}`])],
      ...[...users].map(([target, all]): RedisCommand => ['SADD', keys.references(target), ...all]),
    ]);
  }
  const counts = await redis.pipeline([
    ['ZCARD', keys.accounts],
    ['HLEN', keys.roles],
    ['HLEN', keys.teams],
    ['HLEN', keys.claims],
  ]);
  await redis.pipeline([
    ['HSET', keys.meta, 'counts', counts.join(' ')],
    ['DEL', ...keys.lists],
  ]);
  redis.close();
}

function textOf(account: Account): string {
  return withVersion(encodeRecord(account), 1);
}

function targetsOf({ role, teams }: Account): readonly string[] {
  return [
    ...new Set([
      `role:${role}`,
      ...teams.flatMap((one) => [`team:${one.team}`, `role:${one.role}`]),
    ]),
  ];
}
