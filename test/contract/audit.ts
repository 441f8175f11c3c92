import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chainEvent } from '../../src/audit/event/chain-event.ts';
import { type AuditLog, type AuditReader, AuditUnavailable } from '../../src/audit/port.ts';
import { batchOf, type Entry } from '../support/audit-batch.ts';

interface OpenedAudit {
  readonly log: AuditLog;
  readonly reader: AuditReader;
  close(): Promise<void>;
}

/** One implementation of the audit ports, with the powers that the suite needs over it. */
export interface AuditBackend {
  /** Over the same data each time. */
  open(): Promise<OpenedAudit>;
  /**
   * Ends whatever keeps the data as a crash would, and brings it back. Null with the reason why
   * that makes no sense here.
   */
  readonly crash: (() => Promise<void>) | { readonly not: string };
  /**
   * Stops it from answering without ending it. `hasty` opens the same data for somebody who waits
   * for a second at most; everybody else is patient.
   */
  readonly freeze:
    | { hasty(): Promise<OpenedAudit>; stop(): void; goOn(): void }
    | { readonly not: string };
  /**
   * What `activityPerAccount` is set to, and how many more may be kept because trimming goes in
   * lumps.
   */
  readonly activity: { readonly cap: number; readonly slack: number };
  dispose(): Promise<void>;
}

/** By then whoever is hasty has long been told. */
const FAILED_MS = 15_000;

/** Everything that the audit ports promise, over any implementation. */
export function auditContract(name: string, create: () => Promise<AuditBackend>): void {
  describe(`audit log: ${name}`, () => {
    let backend: AuditBackend;
    let opened: OpenedAudit;
    beforeAll(async () => {
      backend = await create();
      opened = await backend.open();
    });
    afterAll(async () => {
      await opened?.close();
      await backend?.dispose();
    });

    it('keeps the newest signed head of each instance and each key once, until they are old', async () => {
      const heads = opened.log.heads!;
      const old = headOf('head-a', 5, '2020-01-01T00:00:00.000Z');
      const newer = headOf('head-a', 9, '2030-01-01T00:00:00.000Z');
      const gone = headOf('head-b', 7, '2020-01-01T00:00:00.000Z');
      for (const line of [old, newer]) await heads.keepHead('head-a', line);
      await heads.keepHead('head-b', gone);
      const kept = async () => (await heads.heads()).filter((line) => line.includes('head-'));
      expect((await kept()).toSorted()).toEqual([newer, gone].toSorted());
      await heads.forgetHeads(Date.parse('2025-01-01T00:00:00Z'));
      expect(await kept()).toEqual([newer]);
      const key = { key: '0'.repeat(16), publicKey: 'one', instance: 'head-a', time: 'now' };
      await heads.keepKey(key);
      await heads.keepKey({ ...key, publicKey: 'another' });
      expect(await heads.keys()).toEqual([key]);
    });

    it('knows what an instance left open that ended before it said for the first time that it lives', async () => {
      const permits = opened.log.permits!;
      const batch = batchOf('unheard', 1, entries('unheard', 1, 2));
      const notes = { anew: true, text: '=0 {"type":"call","account":null}\n+left-open 0\n' };
      await opened.log.append({ ...batch, notes });
      const left = await permits.left('unheard');
      expect(left).toMatchObject({ permits: [{ id: 'left-open' }], all: true });
      expect(await permits.close('unheard', left!, batchOf('closer', 0, []), null)).toBe(true);
      expect(await permits.left('unheard')).toBe(null);
    });

    it('shows events newest first and pages through all of them, though new ones arrive meanwhile', async () => {
      const instance = 'paging';
      await opened.log.append(batchOf(instance, 1, entries(instance, 1, 25)));
      const shown: string[] = [];
      let before: string | null = null;
      do {
        const page = await opened.reader.tail({ before, limit: 7 });
        expect(page.events.length).toBeLessThanOrEqual(7);
        shown.push(...page.events.filter((event) => event.includes('"paging"')));
        before = page.next;
        await opened.log.append(
          batchOf('later', shown.length + 1, entries('later', shown.length + 1, 1)),
        );
      } while (before !== null);
      expect(shown.map(seqOf)).toEqual(numbers(1, 25).reverse());
      const page = await opened.reader.tail({ before: null, limit: 10 });
      const rest = await opened.reader.tail({ before: page.cursors[4] ?? '', limit: 5 });
      expect(rest.events).toEqual(page.events.slice(5));
    });

    it('finds a text wherever it stands, in pieces, and stops where nothing is of interest', async () => {
      const needle = '"id":"needle-00000001f"';
      const about = (instance: string, seq: number, id: string): Entry => ({
        event: JSON.stringify({ id, instance, seq }),
        account: null,
      });
      // What other tests have left in the log is looked at too.
      const before = await searched(opened.reader, needle, null);
      for (const instance of ['hay-a', 'hay-b', 'hay-c', 'hay-d']) {
        await opened.log.append(batchOf(instance, 1, entries(instance, 1, 2_500)));
        const found = [2, 3].map((seq) => about(instance, 2_499 + seq, 'needle-00000001f'));
        await opened.log.append(
          batchOf(instance, 2_501, instance === 'hay-b' ? found : entries(instance, 2_501, 2)),
        );
        await opened.log.append(batchOf(instance, 2_503, entries(instance, 2_503, 2_500)));
      }
      expect(await opened.reader.oldestMs()).toBeLessThanOrEqual(Date.now());
      const whole = await searched(opened.reader, needle, null);
      expect(whole.events.map(seqOf)).toEqual([2_502, 2_501]);
      expect(whole.pieces).toBeGreaterThan(1);
      expect(whole.examined - before.examined).toBe(20_008);
      expect((await searched(opened.reader, '"id":"needle-00000002', null)).events).toEqual([]);
      const later = await searched(opened.reader, needle, Date.now() + 60_000);
      expect(later.events).toEqual([]);
      expect(later.pieces).toBeLessThan(whole.pieces);
      await expect(
        opened.reader.search({ text: needle, sinceMs: null, before: 'x,y' }),
      ).rejects.toThrow(RangeError);
    }, 60_000);

    it('shows nothing of the log from before a time', async () => {
      await opened.log.append(batchOf('bounded', 1, entries('bounded', 1, 2)));
      const all = await opened.reader.tail({ before: null, limit: 2, sinceMs: 1 });
      expect(all.events.map(seqOf)).toEqual([2, 1]);
      const sinceMs = Date.now() + 60_000;
      const none = await opened.reader.tail({ before: null, limit: 2, sinceMs });
      expect([none.events, none.next]).toEqual([[], null]);
      const begins = (await opened.reader.oldestMs()) ?? 0;
      expect(begins).toBeGreaterThan(Date.now() - 600_000);
      expect(begins).toBeLessThan(sinceMs);
    });

    it('shows an account its own calls only, newest first, page by page', async () => {
      const mine = entries('mine', 1, 9).map((entry, i) => ({
        ...entry,
        account: i % 2 === 0 ? 'accountMine1' : 'accountElse1',
      }));
      await opened.log.append(batchOf('mine', 1, mine));
      await eventually(async () =>
        expect(await wholeActivity(opened.reader, 'accountMine1', 2)).toEqual([9, 7, 5, 3, 1]),
      );
      expect(
        await opened.reader.activity({ account: 'nobody000000', before: null, limit: 5 }),
      ).toEqual({
        cursors: [],
        events: [],
        next: null,
      });
    });

    it('shows events of no account in no activity log', async () => {
      await opened.log.append(batchOf('nobody', 1, entries('nobody', 1, 2, null)));
      await opened.log.append(batchOf('nobody', 3, entries('nobody', 3, 1, 'accountAfter')));
      await eventually(async () =>
        expect(await wholeActivity(opened.reader, 'accountAfter', 5)).toEqual([3]),
      );
      expect(
        (await opened.reader.activity({ account: '', before: null, limit: 5 })).events,
      ).toEqual([]);
    });

    it('keeps a batch once, however often and however overlapping it is sent', async () => {
      const instance = 'again';
      await opened.log.append(batchOf(instance, 1, entries(instance, 1, 3, 'accountAgain')));
      await opened.log.append(batchOf(instance, 1, entries(instance, 1, 3, null)));
      await opened.log.append(batchOf(instance, 2, entries(instance, 2, 4, null)));
      expect(await everySeq(opened.reader, instance)).toEqual(numbers(1, 5));
    });

    it('numbers each instance on its own', async () => {
      await opened.log.append(batchOf('one', 7, entries('one', 7, 2)));
      await opened.log.append(batchOf('two', 1, entries('two', 1, 2)));
      expect(await everySeq(opened.reader, 'two')).toEqual([1, 2]);
    });

    it('gives back any text byte for byte', async () => {
      const text = 'größe 漢字 🚪 "quotes" \\ \u0007 \u0000 %n {{x}}';
      const event = JSON.stringify({ instance: 'text', seq: 1, text });
      await opened.log.append(batchOf('text', 1, [{ event, account: 'accountText1' }]));
      // Events of one millisecond have no order between streams.
      expect((await opened.reader.tail({ before: null, limit: 20 })).events).toContain(event);
      await eventually(async () =>
        expect(
          (await opened.reader.activity({ account: 'accountText1', before: null, limit: 5 }))
            .events,
        ).toEqual([event]),
      );
    });

    it('takes a full batch of a thousand events and a megabyte', async () => {
      const big = entries('large', 1, 1000, 'accountLarge', 'x'.repeat(1000));
      await opened.log.append(batchOf('large', 1, big));
      expect(await everySeq(opened.reader, 'large')).toEqual(numbers(1, 1000));
    });

    it("caps an account's activity, and only that", async () => {
      const { cap, slack } = backend.activity;
      const total = cap + slack + 400;
      for (let seq = 1; seq <= total; seq += 200) {
        await opened.log.append(
          batchOf('capped', seq, entries('capped', seq, 200, 'accountCapped')),
        );
      }
      const newest = total + (total % 200 === 0 ? 0 : 200 - (total % 200));
      await eventually(async () => {
        const shown = await wholeActivity(opened.reader, 'accountCapped', 100);
        expect(shown[0]).toBe(newest);
        expect(shown.length).toBeGreaterThanOrEqual(cap);
        expect(shown.length).toBeLessThanOrEqual(cap + slack);
      });
      expect((await everySeq(opened.reader, 'capped')).length).toBe(newest);
    });

    it('refuses a cursor that it did not give out', async () => {
      for (const before of ['', 'x', '-1', '1-2-3', "1' OR 1", '9'.repeat(40)]) {
        await expect(opened.reader.tail({ before, limit: 1 })).rejects.toThrow(RangeError);
        await expect(
          opened.reader.activity({ account: 'accountMine1', before, limit: 1 }),
        ).rejects.toThrow(RangeError);
      }
    });

    it('says unavailable in good time while it is frozen, and keeps what was sent meanwhile once', async (ctx) => {
      const { freeze } = backend;
      if ('not' in freeze) return ctx.skip(freeze.not);
      const batch = batchOf('frozen', 1, entries('frozen', 1, 3));
      const hasty = await freeze.hasty();
      await eventually(() => hasty.reader.tail({ before: null, limit: 1 }));
      freeze.stop();
      try {
        const late = sleep(FAILED_MS).then(() => 'late');
        const told = (answer: Promise<unknown>) =>
          Promise.race([late, answer.catch((fault: unknown) => fault)]);
        expect(await told(hasty.log.append(batch))).toBeInstanceOf(AuditUnavailable);
        expect(await told(hasty.reader.tail({ before: null, limit: 1 }))).toBeInstanceOf(
          AuditUnavailable,
        );
      } finally {
        freeze.goOn();
        await hasty.close();
      }
      await eventually(() => opened.log.append(batch));
      expect(await everySeq(opened.reader, 'frozen')).toEqual([1, 2, 3]);
    });

    it('keeps what it accepted through a crash', async (ctx) => {
      const { crash } = backend;
      if ('not' in crash) return ctx.skip(crash.not);
      await opened.log.append(batchOf('crash', 1, entries('crash', 1, 10)));
      await crash();
      await eventually(async () =>
        expect(await everySeq(opened.reader, 'crash')).toEqual(numbers(1, 10)),
      );
      await opened.log.append(batchOf('crash', 9, entries('crash', 9, 4)));
      expect(await everySeq(opened.reader, 'crash')).toEqual(numbers(1, 12));
    });

    it('goes on after it was closed and opened again', async () => {
      await opened.log.append(batchOf('reopen', 1, entries('reopen', 1, 2)));
      await opened.close();
      opened = await backend.open();
      await opened.log.append(batchOf('reopen', 1, entries('reopen', 1, 3)));
      expect(await everySeq(opened.reader, 'reopen')).toEqual([1, 2, 3]);
    });
  });
}

export function entries(
  instance: string,
  firstSeq: number,
  count: number,
  account: string | null = null,
  pad = '',
): Entry[] {
  return numbers(firstSeq, firstSeq + count - 1).map((seq) => ({
    event: JSON.stringify({ instance, seq, pad }),
    account,
  }));
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

function seqOf(event: string): number {
  return (JSON.parse(event) as { seq: number }).seq;
}

async function searched(reader: AuditReader, text: string, sinceMs: number | null) {
  const events: string[] = [];
  let [pieces, examined] = [0, 0];
  let before: string | null = null;
  let backToMs = Number.POSITIVE_INFINITY;
  do {
    const page = await reader.search({ text, sinceMs, before });
    events.push(...page.events);
    pieces += 1;
    examined += page.examined;
    before = page.next;
    expect(page.backToMs).toBeLessThanOrEqual(backToMs);
    ({ backToMs } = page);
  } while (before !== null);
  expect(backToMs).toBe(sinceMs ?? 0);
  return { events, pieces, examined };
}

async function wholeActivity(
  reader: AuditReader,
  account: string,
  limit: number,
): Promise<number[]> {
  const shown: number[] = [];
  let before: string | null = null;
  do {
    const page = await reader.activity({ account, before, limit });
    shown.push(...page.events.map(seqOf));
    before = page.next;
  } while (before !== null);
  return shown;
}

function headOf(instance: string, seq: number, time: string): string {
  const signed = { key: '0'.repeat(16), signature: 'A'.repeat(86), chain: 'A'.repeat(43) };
  return chainEvent(instance, seq, Date.parse(time), { type: 'chain-head', ...signed });
}

/** The numbers of an instance's events in the whole log, oldest first. */
export async function everySeq(reader: AuditReader, instance: string): Promise<number[]> {
  const seqs: number[] = [];
  let before: string | null = null;
  do {
    const page = await reader.tail({ before, limit: 500 });
    for (const event of page.events)
      if (event.includes(`"instance":"${instance}"`)) seqs.push(seqOf(event));
    before = page.next;
  } while (before !== null);
  return seqs.reverse();
}

/** Tries again for at most 30 s; then the last failure stands. */
async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  const endMs = performance.now() + 30_000;
  for (;;) {
    try {
      return await attempt();
    } catch (fault) {
      if (performance.now() > endMs) throw fault;
      await sleep(20);
    }
  }
}
