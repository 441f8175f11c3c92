import { createCipheriv, createDecipheriv } from 'node:crypto';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Account } from '../../../src/account/model.ts';
import { NEWEST_RECORD_SCHEMA, RECORD_SCHEMA } from '../../../src/registry/codec.ts';
import type { StoreState } from '../../../src/registry/position.ts';
import {
  type Holdings,
  readWarmSnapshot,
  WARM_LIMITS,
  writeWarmSnapshot,
} from '../../../src/registry/warm/snapshot.ts';
import { account, digestOf, idOf } from '../../contract/registry-records.ts';

const AT: StoreState = { epoch: 'epoch-1', seq: 7, tip: 'a-tip', tombstones: 2 };
const NOW_MS = Date.parse('2026-06-01T00:00:00Z');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-warm-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function held(accounts: readonly Account[], dropped = () => false): Holdings {
  const known = new Map(accounts.map((one) => [one.id, one]));
  return { at: AT, ids: [...known.keys()], account: (id) => known.get(id) ?? null, dropped };
}

function numbered(from: number, to: number, parts: Partial<Account> = {}): Account[] {
  return Array.from({ length: to - from + 1 }, (_, index) =>
    account(from + index, { version: 3, ...parts }),
  );
}

const options = (parts = {}) => ({ folder, program: '1.0.0', nowMs: NOW_MS, ...parts });
const write = (accounts: readonly Account[], parts = {}) =>
  writeWarmSnapshot(held(accounts), options(parts));
const read = (parts = {}) => readWarmSnapshot(options(parts));
const [snapshotFile, keyFile] = [
  () => join(folder, 'warm.snapshot'),
  () => join(folder, 'warm.key'),
];

/** What is in the snapshot, changed by who has its key: magic (16), nonce (12), text, tag (16). */
function reseal(change: (text: string) => string): void {
  const [key, file] = [readFileSync(keyFile()), readFileSync(snapshotFile())];
  const [magic, nonce] = [file.subarray(0, 16), file.subarray(16, 28)];
  const opened = createDecipheriv('aes-256-gcm', key, nonce)
    .setAAD(magic)
    .setAuthTag(file.subarray(-16));
  const text = `${opened.update(file.subarray(28, -16), undefined, 'utf8')}${opened.final('utf8')}`;
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(magic);
  const sealed = Buffer.concat([cipher.update(change(text), 'utf8'), cipher.final()]);
  writeFileSync(snapshotFile(), Buffer.concat([magic, nonce, sealed, cipher.getAuthTag()]));
}

describe('a warm snapshot', () => {
  it('gives back the position and every account as it was, also over several slices', async () => {
    const accounts = numbered(1, 1_000, {
      grants: [{ application: 'CRM', role: 'viewer' }],
      retired: [digestOf(9)],
    });
    expect(await write(accounts)).toBe(1_000);
    expect(await read()).toEqual({ snapshot: { at: AT, accounts }, why: null });
  });

  it('is not there before one was written, and that is no fault', async () => {
    expect(await read()).toEqual({ snapshot: null, why: null });
  });

  it('and its key are closed to others, and nothing unfinished stays behind', async () => {
    await write(numbered(1, 3));
    expect(readdirSync(folder).sort()).toEqual(['warm.key', 'warm.snapshot']);
    for (const path of [snapshotFile(), keyFile()]) expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(keyFile())).toHaveLength(32);
  });

  it('shows nothing of what it holds, and never the same bytes twice', async () => {
    await write(numbered(1, 3));
    const first = readFileSync(snapshotFile());
    for (const word of [digestOf(1), idOf(1), 'account-1', AT.epoch])
      expect(first.includes(word)).toBe(false);
    await write(numbered(1, 3));
    expect(readFileSync(snapshotFile()).equals(first)).toBe(false);
  });

  it('leaves out people and their password verifiers', async () => {
    const person = account(1, {
      version: 3,
      kind: 'user',
      token: null,
      password: '$scrypt$verifier',
    });
    expect(await write([person, account(2, { version: 3 })])).toBe(1);
    expect((await read()).snapshot?.accounts.map(({ id }) => id)).toEqual([idOf(2)]);
  });

  it('leaves out what changed after the position that it stands for', async () => {
    await write([account(1, { version: 7 }), account(2, { version: 8 })]);
    expect((await read()).snapshot?.accounts.map(({ id }) => id)).toEqual([idOf(1)]);
  });

  it('is not written when everything is dropped meanwhile: the one before stays', async () => {
    await write(numbered(1, 3));
    const before = readFileSync(snapshotFile());
    let asked = 0;
    expect(
      await writeWarmSnapshot(
        held(numbered(1, 2_000), () => ++asked > 2),
        options(),
      ),
    ).toBeNull();
    expect(readFileSync(snapshotFile()).equals(before)).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(['warm.key', 'warm.snapshot']);
  });

  it('is bounded: those that were cached last are kept', async () => {
    const ids = Array.from({ length: WARM_LIMITS.accounts + 10 }, (_, n) => idOf(n));
    const asked: string[] = [];
    const none = (id: string) => {
      asked.push(id);
      return null;
    };
    await writeWarmSnapshot({ at: AT, ids, account: none, dropped: () => false }, options());
    expect([asked.length, asked[0]]).toEqual([WARM_LIMITS.accounts, idOf(10)]);
  });
});

describe('a warm snapshot that cannot be trusted', () => {
  beforeEach(() => write(numbered(1, 300)).then(() => undefined));

  async function refused(parts = {}): Promise<string | null> {
    const { snapshot, why } = await read(parts);
    expect(snapshot).toBeNull();
    return why;
  }

  it('is ignored after any byte of it was changed', async () => {
    const whole = readFileSync(snapshotFile());
    const places = [
      0,
      14,
      15,
      20,
      27,
      28,
      400,
      whole.length >> 1,
      whole.length - 17,
      whole.length - 16,
      whole.length - 1,
    ];
    for (const place of places) {
      const changed = Buffer.from(whole);
      changed[place] = changed[place]! ^ 1;
      writeFileSync(snapshotFile(), changed);
      expect(await refused(), `byte ${place}`).toMatch(
        /damaged|not a snapshot that this version can read/,
      );
    }
  });

  it('is ignored when it was cut short, lengthened or emptied', async () => {
    const whole = readFileSync(snapshotFile());
    for (const length of [0, 1, 15, 42, 43, 44, whole.length - 1]) {
      writeFileSync(snapshotFile(), whole.subarray(0, length));
      expect(await refused(), `${length} bytes`).not.toBeNull();
    }
    writeFileSync(snapshotFile(), Buffer.concat([whole, Buffer.alloc(1)]));
    expect(await refused()).toMatch(/damaged/);
  });

  it('is ignored under another key, a damaged one, and none', async () => {
    writeFileSync(keyFile(), Buffer.alloc(32, 7));
    expect(await refused()).toMatch(/another key/);
    writeFileSync(keyFile(), Buffer.alloc(31, 7));
    expect(await refused()).toMatch(/key is damaged/);
    rmSync(keyFile());
    expect(await refused()).toMatch(/key is gone/);
  });

  it('is ignored by another version of the program', async () => {
    expect(await refused({ program: '1.0.1' })).toMatch(/version 1\.0\.0 of the program/);
  });

  it('is ignored by a version that knows fewer fields of accounts, or more', async () => {
    const written = `"schema":${NEWEST_RECORD_SCHEMA}`;
    reseal((text) => text.replace(written, `"schema":${RECORD_SCHEMA}`));
    expect(await refused()).toBe(`it is written in schema ${RECORD_SCHEMA}`);
    expect(NEWEST_RECORD_SCHEMA).toBeGreaterThan(RECORD_SCHEMA);
  });

  it('is ignored when it is older than a day, or from the future', async () => {
    expect((await read({ nowMs: NOW_MS + WARM_LIMITS.ageMs })).snapshot).not.toBeNull();
    expect(await refused({ nowMs: NOW_MS + WARM_LIMITS.ageMs + 1 })).toMatch(/too old/);
    expect(await refused({ nowMs: NOW_MS - WARM_LIMITS.aheadMs - 1 })).toMatch(/too old/);
  });

  it('is ignored when others could have read or written it, or when it is a link, a folder or far too large', async () => {
    chmodSync(snapshotFile(), 0o640);
    expect(await refused()).toMatch(/closed to others/);
    chmodSync(snapshotFile(), 0o600);
    truncateSync(snapshotFile(), WARM_LIMITS.bytes * 2);
    expect(await refused()).toMatch(/larger/);
    rmSync(snapshotFile());
    symlinkSync(keyFile(), snapshotFile());
    expect(await refused()).toMatch(/cannot be opened \(ELOOP\)/);
  });

  it('is replaced by the next writing, with a new key where the old one is of no use', async () => {
    writeFileSync(keyFile(), 'short');
    expect(await write(numbered(1, 2))).toBe(2);
    expect((await read()).snapshot?.accounts).toHaveLength(2);
    expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
  });
});

describe('writers in one folder', () => {
  it('agree on one key and leave one whole snapshot', async () => {
    await Promise.all(Array.from({ length: 8 }, () => write(numbered(1, 200))));
    expect((await read()).snapshot?.accounts).toHaveLength(200);
    expect(readdirSync(folder).sort()).toEqual(['warm.key', 'warm.snapshot']);
  });

  it('clear away what a crash left unfinished, but not what another is writing now', async () => {
    for (const name of ['.warm-old', '.warm-new', 'other'])
      writeFileSync(join(folder, name), '', { mode: 0o600 });
    const hourAgo = NOW_MS / 1000 - 3_600;
    utimesSync(join(folder, '.warm-old'), hourAgo, hourAgo);
    utimesSync(join(folder, '.warm-new'), NOW_MS / 1000, NOW_MS / 1000);
    await write(numbered(1, 2));
    expect(readdirSync(folder).sort()).toEqual(['.warm-new', 'other', 'warm.key', 'warm.snapshot']);
  });
});
