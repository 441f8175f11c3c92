import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, expect, it } from 'vitest';
import { encodeRecord, RECORD_SCHEMA, withVersion } from '../../../src/registry/codec.ts';
import { AccountLookups } from '../../../src/registry/redis/lookups.ts';
import { positionFrom } from '../../../src/registry/redis/reply.ts';
import { readTombstone } from '../../../src/registry/revoked/tombstone.ts';
import { registryKeys } from '../../../src/store/keys.ts';
import type { RedisCommand } from '../../../src/store/redis.ts';
import { account } from '../account/samples.ts';

const KEYS = registryKeys('test');
const META = [String(RECORD_SCHEMA), 'epoch-1', '7'];

/** Commands that were sent: the keys that each named. */
let sent: string[][];
let records: Map<string, string>;
let graves: Map<string, string>;
let listed: Set<string>;
let counts: string | null;
let fault: Error | null;
let lookups: AccountLookups;

beforeEach(() => {
  sent = [];
  records = new Map();
  graves = new Map();
  listed = new Set();
  counts = null;
  fault = null;
  const read = async (
    [tombstones, accounts, ...keys]: readonly string[],
    [, graveRead]: readonly RedisCommand[],
  ) => {
    expect([tombstones, accounts]).toEqual([KEYS.tombstones, KEYS.accounts]);
    sent.push(keys);
    if (fault !== null) throw fault;
    const ids = (graveRead?.slice(2) ?? []).map(String);
    return [
      META,
      keys.map((key) => records.get(key) ?? null),
      ids.map((id) => graves.get(id) ?? null),
      ids.map((id) => (listed.has(id) ? '0' : null)),
      listed.size,
      [counts],
    ];
  };
  lookups = new AccountLookups(KEYS, read, positionFrom, (id, text) =>
    readTombstone(id, text, 'damaged'),
  );
});

function put(id: string): void {
  records.set(KEYS.account(id), withVersion(encodeRecord(account({ id })), 3));
  listed.add(id);
}

function idOf(n: number): string {
  return String(n).padStart(12, '0');
}

it('sends what is asked in one turn of the loop together, and gives each its own answer', async () => {
  put(idOf(1));
  put(idOf(3));
  const answers = await Promise.all([1, 2, 3].map((n) => lookups.ask(idOf(n))));
  expect(sent).toEqual([[1, 2, 3].map((n) => KEYS.account(idOf(n)))]);
  expect(answers.map((answer) => answer.account?.id ?? null)).toEqual([idOf(1), null, idOf(3)]);
  expect(answers.map(({ epoch, seq }) => [epoch, seq])).toEqual(Array(3).fill(['epoch-1', 7]));
});

it('asks once for an id that is asked for twice', async () => {
  await Promise.all([lookups.ask(idOf(1)), lookups.ask(idOf(1))]);
  expect(sent).toEqual([[KEYS.account(idOf(1))]]);
});

it('asks anew for what is asked later', async () => {
  await lookups.ask(idOf(1));
  put(idOf(1));
  expect((await lookups.ask(idOf(1))).account?.id).toBe(idOf(1));
  expect(sent).toHaveLength(2);
});

it('keeps commands to a bounded size', async () => {
  await Promise.all(Array.from({ length: 600 }, (_, n) => lookups.ask(idOf(n))));
  expect(sent.map((keys) => keys.length)).toEqual([256, 256, 88]);
  await turn();
  expect(sent).toHaveLength(3);
});

it('fails for a record that cannot be read, and for no other', async () => {
  put(idOf(1));
  records.set(KEYS.account(idOf(2)), '{"version":3,"schema":1}');
  const [good, bad] = await Promise.allSettled([lookups.ask(idOf(1)), lookups.ask(idOf(2))]);
  expect(good).toMatchObject({ status: 'fulfilled', value: { account: { id: idOf(1) } } });
  expect(bad).toMatchObject({
    status: 'rejected',
    reason: { name: 'RegistryUnavailable', why: 'damaged' },
  });
});

it('fails for an account whose record is gone while the list still names it: it was evicted, not deleted', async () => {
  put(idOf(1));
  records.delete(KEYS.account(idOf(1)));
  const [evicted, absent] = await Promise.allSettled([lookups.ask(idOf(1)), lookups.ask(idOf(2))]);
  expect(evicted).toMatchObject({
    status: 'rejected',
    reason: { name: 'RegistryUnavailable', why: 'damaged' },
  });
  expect(absent).toMatchObject({ status: 'fulfilled', value: { account: null } });
});

it('calls nobody absent while the list of accounts is not whole', async () => {
  put(idOf(1));
  counts = '1 0 0 1';
  expect((await lookups.ask(idOf(2))).account).toBeNull();
  listed.clear();
  const [absent, known] = await Promise.allSettled([lookups.ask(idOf(2)), lookups.ask(idOf(1))]);
  expect(absent).toMatchObject({
    status: 'rejected',
    reason: { name: 'RegistryUnavailable', why: 'damaged' },
  });
  expect(known).toMatchObject({ status: 'fulfilled', value: { account: { id: idOf(1) } } });
});

it('fails for all when the store does', async () => {
  fault = new Error('away');
  const answers = await Promise.allSettled([lookups.ask(idOf(1)), lookups.ask(idOf(2))]);
  expect(answers.map((answer) => answer.status)).toEqual(['rejected', 'rejected']);
  fault = null;
  expect((await lookups.ask(idOf(1))).account).toBeNull();
});

it('reads each account under its tombstone, and takes one that cannot be read for a fault', async () => {
  for (const n of [1, 2, 3]) put(idOf(n));
  graves.set(idOf(1), '{"deleted":false,"inactive":true,"digests":{}}');
  graves.set(idOf(2), '{"deleted":');
  const answers = await Promise.allSettled([1, 2, 3].map((n) => lookups.ask(idOf(n))));
  expect(answers[0]).toMatchObject({ value: { account: { status: 'inactive' } } });
  expect(answers[1]).toMatchObject({ reason: { why: 'damaged' } });
  expect(answers[2]).toMatchObject({ value: { account: { status: 'active' } } });
});
