import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compilePrincipal } from '../../../src/account/principal.ts';
import { Assertions } from '../../../src/assertion/assertions.ts';
import { folderKeyStore, sealingSecretIn } from '../../../src/assertion/folder.ts';
import { AssertionKeys } from '../../../src/assertion/keeper.ts';
import { SET_SECONDS } from '../../../src/assertion/key-set.ts';
import type { KeyStore } from '../../../src/assertion/port.ts';
import { sealingWith } from '../../../src/assertion/sealing.ts';
import { account } from '../account/samples.ts';
import { ManualClock } from '../registry/held-source.ts';

const DAY_MS = 86_400_000;
const SECRET = 'a secret of more than thirty-two characters';
const WISH = { audience: 'deployments', lifetimeMs: 60_000, bind: null };

let folder: string;
let clock: ManualClock;
let opened: AssertionKeys[] = [];
let faults: (string | null)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-assertion-'));
  clock = new ManualClock();
  clock.wallAheadMs = 1_800_000_000_000;
  faults = [];
});

afterEach(async () => {
  for (const keys of opened) await keys.close();
  opened = [];
  rmSync(folder, { recursive: true });
});

/** One instance's, after its first look. */
async function keysOf(
  secret = SECRET,
  store: KeyStore = folderKeyStore(folder),
  at = clock,
): Promise<AssertionKeys> {
  const keys = new AssertionKeys({
    store,
    sealing: sealingWith(secret),
    clock: at,
    rotateMs: 30 * DAY_MS,
    onFault: (fault) => void faults.push(fault?.message ?? null),
  });
  opened.push(keys);
  await keys.looked;
  return keys;
}

const file = () => join(folder, 'assertion.keys');
const kidsOf = (keys: AssertionKeys) =>
  (JSON.parse(keys.published!) as JSONWebKeySet).keys.map(({ kid }) => kid);

describe('the keys of several instances', () => {
  it('are the same, whoever made them', async () => {
    const [one, other] = [await keysOf(), await keysOf()];
    expect(other.signer!.kid).toBe(one.signer!.kid);
    expect(other.published).toBe(one.published);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  it('are the first that was put there, where two are made at once', async () => {
    let stored: string | null = null;
    const late: KeyStore = {
      // Both have looked before one of them writes.
      read: async () => null,
      create: async (sealed) => {
        stored ??= sealed;
        return stored;
      },
      replace: async () => {
        throw new Error('nothing is replaced');
      },
    };
    const [one, other] = await Promise.all([keysOf(SECRET, late), keysOf(SECRET, late)]);
    expect(other.signer!.kid).toBe(one.signer!.kid);
  });

  it('are put back where the store has lost them', async () => {
    const one = await keysOf();
    rmSync(file());
    await one.look();
    expect((await keysOf()).signer!.kid).toBe(one.signer!.kid);
  });

  it('are put together where two stores of them meet', async () => {
    const one = await keysOf();
    const before = readFileSync(file());
    rmSync(file());
    const other = await keysOf();
    writeFileSync(file(), before);
    await other.look();
    await one.look();
    expect(kidsOf(one).sort()).toEqual(kidsOf(other).sort());
    expect(kidsOf(one)).toHaveLength(2);
    expect(one.signer!.kid).toBe(other.signer!.kid);
  });

  it('lose none to an older state that somebody puts back', async () => {
    const keys = await keysOf();
    const before = readFileSync(file());
    clock.nowMs += 30 * DAY_MS - 900_000;
    await keys.look();
    const after = kidsOf(keys);
    expect(after).toHaveLength(2);
    writeFileSync(file(), before);
    await keys.look();
    expect(kidsOf(keys)).toEqual(after);
    expect(kidsOf(await keysOf())).toEqual(after);
  });
});

describe('keys in the store', () => {
  it('are sealed: neither key nor set can be read there', async () => {
    const keys = await keysOf();
    const text = readFileSync(file(), 'utf8');
    const bytes = Buffer.from(text, 'base64url').toString('latin1');
    for (const said of [text, bytes]) {
      expect(said).not.toContain(keys.signer!.privateKey);
      expect(said).not.toContain('privateKey');
    }
  });

  it.each([
    ['another secret', () => sealingWith('another secret of thirty-two characters').seal('{}')],
    ['nothing', () => 'not sealed'],
    ['this secret, but no set', () => sealingWith(SECRET).seal('{"version":2,"keys":[]}')],
    [
      'this secret, but a key of another curve',
      () =>
        sealingWith(SECRET).seal('{"version":1,"keys":[{"privateKey":"AAAA","signsFromMs":1}]}'),
    ],
  ])('that were sealed with %s are not believed, and stay as they are', async (_what, sealed) => {
    const text = sealed();
    writeFileSync(file(), text);
    const keys = await keysOf();
    expect([keys.signer, keys.published]).toEqual([null, null]);
    expect(keys.problem).not.toBeNull();
    expect(readFileSync(file(), 'utf8')).toBe(text);
    expect(faults).toHaveLength(1);
  });

  it('that cannot be opened any more leave those that are known', async () => {
    const keys = await keysOf();
    const { kid } = keys.signer!;
    writeFileSync(file(), 'damaged');
    await expect(keys.look()).rejects.toThrow('sealing key');
    expect(keys.signer!.kid).toBe(kid);
  });

  it('are sealed with another secret in two steps, and each instance opens them all the time', async () => {
    const next = 'the next secret of thirty-two characters';
    const former = await keysOf();
    const both = await keysOf(`${SECRET}\n${next}\n`);
    const moved = await keysOf(`${next}\n${SECRET}\n`);
    const alone = await keysOf(next);
    expect([both, moved, alone].map(({ signer }) => signer!.kid)).toEqual(
      Array(3).fill(former.signer!.kid),
    );
    expect(faults).toEqual([]);
  });

  it('of an embedded store are sealed with a secret of the folder', () => {
    const secret = sealingSecretIn(folder);
    expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
    expect(sealingSecretIn(folder)).toBe(secret);
    expect(statSync(join(folder, 'assertion.key')).mode & 0o777).toBe(0o600);
  });
});

describe('a store that is away', () => {
  const away: KeyStore = {
    read: async () => {
      throw new Error('the store is away');
    },
    create: async () => 'never',
    replace: async () => {},
  };

  it('leaves a new instance without a key, which says so once', async () => {
    const keys = await keysOf(SECRET, away);
    expect([keys.signer, keys.published, keys.problem]).toEqual([null, null, 'the store is away']);
    expect(faults).toEqual(['the store is away']);
  });

  it('lets an instance sign on, and tell its keys no longer than others may sign with none of them', async () => {
    let store = folderKeyStore(folder);
    const keys = await keysOf(SECRET, {
      read: () => store.read(),
      create: (sealed) => store.create(sealed),
      replace: (sealed) => store.replace(sealed),
    });
    store = away;
    clock.nowMs += 299_000;
    await expect(keys.look()).rejects.toThrow('away');
    expect(keys.published).not.toBeNull();
    clock.nowMs += 2_000;
    expect(keys.published).toBeNull();
    expect(keys.signer).not.toBeNull();
    clock.nowMs += 31 * DAY_MS;
    expect(keys.signer).toBeNull();
    store = folderKeyStore(folder);
    await keys.look();
    expect(keys.published).not.toBeNull();
  });
});

describe('rotation', () => {
  it('never signs with a key that somebody who may keep the set does not know', async () => {
    // Two instances, of which the second looks late and has a clock that is behind by a minute.
    const behind = new ManualClock();
    behind.wallAheadMs = clock.wallAheadMs - 60_000;
    const instances = [
      { clock, keys: await keysOf(), lookMs: 10_000 },
      {
        clock: behind,
        keys: await keysOf(SECRET, folderKeyStore(folder), behind),
        lookMs: 250_000,
      },
    ];
    const assertions = instances.map(
      (one) =>
        new Assertions({
          keys: one.keys,
          issuer: 'gate',
          clock: one.clock,
          wishes: new Map([['up', WISH]]),
        }),
    );
    const principal = compilePrincipal(account());
    const kids = new Set<string>();
    let stepMs = 10_000;
    // Kept as long as the response allows, from one instance and then the other.
    let kept = { text: instances[1]!.keys.published!, untilMs: 0, turn: 0 };
    for (let atMs = 0; atMs < 31 * DAY_MS; atMs += stepMs) {
      const nearRotation = Math.abs(atMs - 30 * DAY_MS) < 3_600_000;
      stepMs = nearRotation ? 10_000 : 3_000_000;
      clock.nowMs += stepMs;
      behind.nowMs += stepMs;
      for (const { keys, lookMs } of instances)
        if (clock.nowMs % lookMs < stepMs) await keys.look();
      if (clock.nowMs >= kept.untilMs) {
        const turn = 1 - kept.turn;
        const text = instances[turn]!.keys.published!;
        kept = { text, untilMs: clock.nowMs + SET_SECONDS * 1000, turn };
      }
      const set = JSON.parse(kept.text) as JSONWebKeySet;
      const known = set.keys.map(({ kid }) => kid);
      for (const { keys } of instances) {
        const { kid } = keys.signer!;
        if (!known.includes(kid)) throw new Error(`${kid} signs and is not known at ${atMs}`);
        kids.add(kid);
      }
      if (!nearRotation || atMs % 300_000 !== 0) continue;
      for (const [at, one] of assertions.entries()) {
        const caller = { account: principal, role: 'viewer', application: null, demand: null };
        const { text } = one.of('up', caller)!;
        await jwtVerify(text, createLocalJWKSet(set), {
          algorithms: ['ES256'],
          issuer: 'gate',
          audience: 'deployments',
          currentDate: new Date(instances[at]!.clock.wallMs()),
        });
      }
    }
    expect(kids.size).toBe(2);
    // The first one is gone a day after.
    clock.nowMs += DAY_MS;
    await instances[0]!.keys.look();
    expect(kidsOf(instances[0]!.keys)).toHaveLength(1);
  });
});

describe('a clock that is far ahead', () => {
  it('keeps nobody else from changing to another key in time', async () => {
    const keys = await keysOf();
    const first = keys.signer!.kid;
    const ahead = new ManualClock();
    ahead.wallAheadMs = clock.wallAheadMs + 365 * DAY_MS;
    await keysOf(SECRET, folderKeyStore(folder), ahead);
    await keys.look();
    expect(kidsOf(keys)).toHaveLength(2);
    expect(keys.signer!.kid).toBe(first);
    for (let day = 0; day < 40; day += 1) {
      clock.nowMs += DAY_MS;
      await keys.look();
    }
    expect(keys.signer!.kid).not.toBe(first);
    expect(keys.signer!.signsFromMs).toBeLessThanOrEqual(clock.wallMs());
  });

  it('of the instance that made the first key leaves the others with that key', async () => {
    const ahead = new ManualClock();
    ahead.wallAheadMs = clock.wallAheadMs + 365 * DAY_MS;
    const made = await keysOf(SECRET, folderKeyStore(folder), ahead);
    const keys = await keysOf();
    expect(keys.signer!.kid).toBe(made.signer!.kid);
    await keys.look();
    expect(kidsOf(keys)).toHaveLength(1);
  });
});
