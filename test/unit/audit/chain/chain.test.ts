import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventBatch } from '../../../../src/audit/batch.ts';
import { type Chain, openChain } from '../../../../src/audit/chain/chain.ts';
import { NO_CHAIN } from '../../../../src/audit/chain/hash.ts';
import { HEAD_FILE, headIn } from '../../../../src/audit/chain/head-file.ts';
import { KEY_FILE, openChainKey, passingChainKey } from '../../../../src/audit/chain/key.ts';
import type { HeadLedger, KnownKey } from '../../../../src/audit/chain/ledger.ts';
import { type CutPlace, headText, isSigned, trimText } from '../../../../src/audit/chain/signed.ts';
import { readEvent } from '../../../../src/audit/event/read.ts';
import { type BatchingOutbox, createOutbox } from '../../../../src/audit/outbox/outbox.ts';
import { type Clock, systemClock } from '../../../../src/clock.ts';
import { walkChain } from '../../../support/chain-walk.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-chain-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Stage {
  readonly lines: string[];
  readonly heads: string[];
  readonly keys: KnownKey[];
  readonly outbox: BatchingOutbox;
  readonly chain: Chain;
}

/** An outbox before a log that takes everything, after a moment each. */
function stageOf(
  limits: { batchEvents?: number } = {},
  away = { is: false },
  clock: Clock = systemClock,
): Stage {
  const lines: string[] = [];
  const heads: string[] = [];
  const keys: KnownKey[] = [];
  const key = openChainKey(folder);
  const previous = headIn(folder);
  const outbox = createOutbox({
    log: {
      async append(batch: EventBatch) {
        await sleep(1);
        lines.push(...batch.lines.toString().split('\n').filter(Boolean));
      },
      async close() {},
    },
    instance: 'unit-1',
    clock: systemClock,
    chain: previous?.chain ?? NO_CHAIN,
    limits,
    observer: { accepted() {}, lost() {}, unrecorded() {}, resent() {}, health() {}, fault() {} },
  });
  const ledger: HeadLedger = {
    async keepHead(_instance, line) {
      if (away.is) throw new Error('away');
      heads.push(line);
    },
    async keepKey(one) {
      if (away.is) throw new Error('away');
      keys.push(one);
    },
    async forgetHeads() {},
    heads: async () => heads,
    keys: async () => keys,
  };
  const chain = openChain({
    outbox,
    instance: 'unit-1',
    version: '1.2.3',
    clock,
    key,
    previous,
    folder,
    ledger,
    keptMs: 1000,
    onFault() {},
  });
  return { lines, heads, keys, outbox, chain };
}

async function ended({ outbox, chain }: Stage): Promise<void> {
  chain.end();
  await outbox.close(5000);
  await chain.close();
}

function record({ outbox }: Stage, name: string): void {
  outbox.record((seq) => `{"seq":${seq},"name":"${name}"}`, null, null);
}

describe('the chain of an instance', () => {
  it('begins, carries its hash through all events, and ends signed', async () => {
    const stage = stageOf({ batchEvents: 7 });
    for (let turn = 0; turn < 40; turn += 1) {
      for (let n = 0; n < 10; n += 1) record(stage, `ä ${turn} ${n}`);
      await sleep(0);
    }
    await ended(stage);
    expect(stage.lines).toHaveLength(402);
    const { faults, links, heads } = walkChain(stage.lines);
    expect(faults).toEqual([]);
    expect(links).toBeGreaterThan(4);
    expect(heads).toBe(1);
    expect(readEvent(stage.lines[0]!)).toMatchObject({ type: 'instance-begun', previous: null });
    expect(readEvent(stage.lines.at(-1)!)).toMatchObject({ type: 'instance-ended', seq: 402 });
    expect(stage.heads.at(-1)).toBe(stage.lines.at(-1));
    expect(stage.keys[0]).toMatchObject({ key: openChainKey(folder).id, instance: 'unit-1' });
  });

  it('signs its head after a thousand events', async () => {
    const stage = stageOf();
    for (let turn = 0; turn < 300; turn += 1) {
      for (let n = 0; n < 10; n += 1) record(stage, 'x');
      await sleep(0);
    }
    await ended(stage);
    const { faults, heads } = walkChain(stage.lines);
    expect(faults).toEqual([]);
    expect(heads).toBeGreaterThan(2);
  });

  it('shows every change of a line, and every line that is missing or in another place', async () => {
    const stage = stageOf({ batchEvents: 5 });
    for (let n = 0; n < 200; n += 1) record(stage, `${n}`);
    await ended(stage);
    const { lines } = stage;
    expect(walkChain(lines).faults).toEqual([]);
    expect(walkChain(lines.with(50, lines[50]!.replace('"name"', '"Name"'))).faults).not.toEqual(
      [],
    );
    expect(walkChain(lines.toSpliced(50, 1)).faults).not.toEqual([]);
    expect(walkChain(lines.with(50, lines[51]!).with(51, lines[50]!)).faults).not.toEqual([]);
  });

  it('goes on from the head that its folder holds', async () => {
    const first = stageOf();
    record(first, 'x');
    await ended(first);
    const head = headIn(folder);
    expect(head).toMatchObject({ instance: 'unit-1', seq: 3 });
    const second = stageOf();
    await ended(second);
    const { instance, seq, chain } = head!;
    expect(readEvent(second.lines[0]!)).toMatchObject({
      previous: { instance, seq, chain },
      chain,
    });
  });

  it('keeps its last head though the store takes nothing at first', async () => {
    const away = { is: true };
    const stage = stageOf({}, away);
    record(stage, 'x');
    stage.chain.end();
    await stage.outbox.close(5000);
    expect(stage.heads).toEqual([]);
    away.is = false;
    await stage.chain.close();
    expect(stage.heads).toEqual([stage.lines[2]]);
    expect(stage.keys).toHaveLength(1);
  });

  it('keeps the newest head alone of those of a second, and at its end the last one', async () => {
    const still: Clock = { ...systemClock, monotonicMs: () => 1 };
    const stage = stageOf({}, { is: false }, still);
    const signed = () => stage.lines.filter((line) => readEvent(line).type === 'chain-head');
    for (let head = 1; head <= 3; head += 1) {
      for (let n = 0; n < 1000; n += 1) record(stage, 'x');
      await expect.poll(() => stage.outbox.pending).toBe(0);
      // A head comes before the first event of a batch.
      record(stage, 'x');
      await expect.poll(() => signed().length).toBe(head);
    }
    expect(stage.heads).toEqual([]);
    await ended(stage);
    expect(stage.heads).toEqual(stage.lines.slice(-1));
  });

  it('registers its key again with each head: the store may have lost it', async () => {
    const stage = stageOf();
    record(stage, 'x');
    await expect.poll(() => stage.keys.length).toBe(1);
    stage.keys.length = 0;
    await ended(stage);
    expect(stage.keys).toMatchObject([{ key: openChainKey(folder).id }]);
  });

  it('goes on after an event that could not be made', async () => {
    const stage = stageOf();
    record(stage, 'x');
    const cannot = () => {
      throw new Error('cannot');
    };
    expect(() => stage.outbox.recordLink(cannot, null)).toThrow('cannot');
    for (let n = 0; n < 5; n += 1) record(stage, `${n}`);
    await ended(stage);
    expect(walkChain(stage.lines).faults).toEqual([]);
    expect(stage.lines).toHaveLength(8);
  });

  it('keeps its head in the folder when the store does not take it, and goes on', async () => {
    const stage = stageOf({}, { is: true });
    record(stage, 'x');
    await ended(stage);
    expect(stage.lines).toHaveLength(3);
    expect(readFileSync(join(folder, HEAD_FILE), 'utf8')).toBe(`${stage.lines[2]}\n`);
  });
});

describe('what retention cuts', () => {
  it('is signed, and told once with all that went meanwhile, before the last word', async () => {
    const stage = stageOf();
    const { cuts } = stage.chain;
    const { publicKey } = openChainKey(folder);
    const anchor = cuts.sign('2', 1_900_000_000_000);
    expect(anchor).toMatchObject({ instance: 'unit-1', trimmedBefore: '2030-03-17T17:46:40.000Z' });
    expect(isSigned(trimText(anchor), anchor.signature, publicKey)).toBe(true);
    const later = { ...anchor, trimmedBefore: '2030-03-17T17:46:41.000Z' };
    expect(isSigned(trimText(later), anchor.signature, publicKey)).toBe(false);

    cuts.cut({ stream: '2', beforeMs: 1_900_000_000_000, count: 0 });
    for (const [n, count] of [100, 20, 3].entries())
      cuts.cut({ stream: '2', beforeMs: 1_900_000_000_000 + n, count });
    await ended(stage);
    cuts.cut({ stream: '2', beforeMs: 1_900_000_000_000, count: 1 });
    expect(walkChain(stage.lines).faults).toEqual([]);
    const told = stage.lines.map(readEvent).filter(({ type }) => type === 'log-trimmed');
    expect(told).toMatchObject([
      { count: 100, stream: '2', trimmedBefore: '2030-03-17T17:46:40.000Z' },
      { count: 23, stream: '2', trimmedBefore: '2030-03-17T17:46:40.002Z' },
    ]);
    for (const event of told as (CutPlace & { signature: string })[])
      expect(isSigned(trimText(event), event.signature, publicKey)).toBe(true);
    expect(JSON.parse(stage.lines.at(-1)!)).toMatchObject({ type: 'instance-ended' });
  });
});

describe('the key of the chain', () => {
  it('is made once, private, and found again', () => {
    const made = openChainKey(folder);
    expect(openChainKey(folder)).toMatchObject({ id: made.id, publicKey: made.publicKey });
    expect(statSync(join(folder, KEY_FILE)).mode & 0o777).toBe(0o600);
    expect(made.id).toMatch(/^[0-9a-f]{16}$/);
  });

  it('is refused where it is none, and not overwritten', () => {
    writeFileSync(join(folder, KEY_FILE), 'nothing');
    expect(() => openChainKey(folder)).toThrow('holds no Ed25519 key');
    expect(readFileSync(join(folder, KEY_FILE), 'utf8')).toBe('nothing');
  });

  it('signs what nobody else can', () => {
    const key = openChainKey(folder);
    const place = { instance: 'a', seq: 7, chain: NO_CHAIN, time: '2030-01-01T00:00:00.000Z' };
    const before = { number: 3, time: place.time };
    const text = headText(place, before);
    const signature = key.sign(text);
    expect(isSigned(text, signature, key.publicKey)).toBe(true);
    const others = [
      headText({ ...place, seq: 8 }, before),
      headText(place, { ...before, number: 4 }),
      headText(place, undefined),
    ];
    for (const other of others) expect(isSigned(other, signature, key.publicKey)).toBe(false);
    expect(isSigned(text, signature, passingChainKey().publicKey)).toBe(false);
    expect(isSigned(text, signature, 'nothing')).toBe(false);
  });
});
