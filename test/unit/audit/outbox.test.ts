import { setImmediate as loopTurn, setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import type { EventBatch } from '../../../src/audit/batch.ts';
import type { OutboxLimits } from '../../../src/audit/outbox/options.ts';
import { type BatchingOutbox, createOutbox } from '../../../src/audit/outbox/outbox.ts';
import { type AuditLog, AuditUnavailable } from '../../../src/audit/port.ts';
import { systemClock } from '../../../src/clock.ts';
import { entriesOf } from '../../support/audit-batch.ts';

/** A log whose answers the test gives, one by one. */
class HandLog implements AuditLog {
  readonly sent: { batch: EventBatch; copy: EventBatch; accept(): void; fail(): void }[] = [];
  append(batch: EventBatch): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // The bytes as they were: the outbox may write others in their place once it is told that they
    // are accepted.
    const copy = {
      ...batch,
      lines: Buffer.from(batch.lines),
      accounts: [...batch.accounts],
      marks: Buffer.from(batch.marks),
    };
    this.sent.push({
      batch,
      copy,
      accept: resolve,
      fail: () => reject(new AuditUnavailable('gone')),
    });
    return promise;
  }
  async close(): Promise<void> {}
  events(n: number): readonly string[] {
    const copy = this.sent[n]?.copy;
    return copy === undefined ? [] : entriesOf(copy).map(({ event }) => event);
  }
}

let log: HandLog;
let outbox: BatchingOutbox;
let told: string[];
let seen: {
  accepted: number;
  lost: number;
  unrecorded: number;
  resent: number;
  health: (string | null)[];
  faults: number;
};

function start(limits: Partial<OutboxLimits> = {}, probe = false, clock = systemClock): void {
  log = new HandLog();
  told = [];
  seen = { accepted: 0, lost: 0, unrecorded: 0, resent: 0, health: [], faults: 0 };
  outbox = createOutbox({
    log,
    instance: 'unit',
    clock,
    limits,
    probe,
    observer: {
      accepted(count) {
        seen.accepted += count;
      },
      lost(count) {
        seen.lost += count;
      },
      unrecorded() {
        seen.unrecorded++;
      },
      resent(count) {
        seen.resent += count;
      },
      health(problem) {
        seen.health.push(problem?.message ?? null);
      },
      fault() {
        seen.faults++;
      },
    },
  });
}

function record(name: string, waits = true): void {
  outbox.record(
    (seq) => `${seq}:${name}`,
    null,
    waits
      ? {
          accepted: () => void told.push(`${name} accepted`),
          notAccepted: () => void told.push(`${name} not accepted`),
        }
      : null,
  );
}

/** The n-th batch, once it was sent. */
async function sent(n: number) {
  await expect.poll(() => log.sent.length, { timeout: 5000, interval: 5 }).toBeGreaterThan(n);
  return log.sent[n] as HandLog['sent'][number];
}

afterEach(() => outbox.close(1));

describe('group commit', () => {
  it('sends what one loop turn brought as one batch, and tells everyone when the log has it', async () => {
    start();
    for (const name of ['a', 'b', 'c']) record(name);
    expect(log.sent).toHaveLength(0);
    const batch = await sent(0);
    expect(batch.batch).toMatchObject({ instance: 'unit', firstSeq: 1 });
    expect(log.events(0)).toEqual(['1:a', '2:b', '3:c']);
    expect(told).toEqual([]);
    batch.accept();
    await loopTurn();
    expect(told).toEqual(['a accepted', 'b accepted', 'c accepted']);
    expect(seen.accepted).toBe(3);
    expect(outbox.pending).toBe(0);
  });

  it('notes with its first events what is open, and not with the empty batch before them', async () => {
    start({}, true);
    log.sent[0]!.accept();
    await sleep(1);
    outbox.record((seq) => `{"seq":${seq}}`, null, { accepted() {}, notAccepted() {} });
    await expect.poll(() => log.sent.length).toBe(2);
    const [empty, first] = log.sent.map(({ batch: { count, notes } }) => [count, notes?.anew]);
    expect([empty, first]).toEqual([
      [0, false],
      [1, true],
    ]);
  });

  it('has one append in flight, and what comes meanwhile in the next', async () => {
    start();
    record('a');
    const first = await sent(0);
    record('b');
    record('c', false);
    await sleep(60);
    expect(log.sent).toHaveLength(1);
    first.accept();
    await sent(1);
    expect(log.sent[1]?.batch.firstSeq).toBe(2);
    expect(log.events(1)).toEqual(['2:b', '3:c']);
  });

  it('lets events that nobody waits for linger, but not for long', async () => {
    start({ lingerMs: 500 });
    record('a', false);
    await loopTurn();
    await loopTurn();
    expect(log.sent).toHaveLength(0);
    await sent(0);
  });

  it('sends lingering events along as soon as somebody waits', async () => {
    start({ lingerMs: 60_000 });
    record('a', false);
    record('b');
    await sent(0);
    expect(log.events(0)).toEqual(['1:a', '2:b']);
  });

  it('cuts batches at their limits of events and of bytes', async () => {
    start({ batchEvents: 2, batchBytes: 100 });
    for (const name of ['a', 'b', 'c'.repeat(200), 'd']) record(name);
    for (let n = 0; n < 3; n++) (await sent(n)).accept();
    expect(log.sent.map(({ batch }) => batch.count)).toEqual([2, 1, 1]);
    expect(log.sent.map(({ batch }) => batch.firstSeq)).toEqual([1, 3, 4]);
  });
});

describe('the distance of appends', () => {
  /** Of the clock that is asked how far apart they are; timers have their own. */
  let nowMs = 0;
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  const turns = async () => {
    for (let n = 0; n < 5; n++) await loopTurn();
  };
  /** Thirty waiters in ten milliseconds, and the append of the first. */
  const crowd = async (limits: Partial<OutboxLimits>) => {
    nowMs = 1000;
    start({ apartFrom: 2500, lingerMs: 60_000, ...limits }, false, clock);
    for (let n = 0; n < 30; n++) record(`${n}`);
    nowMs += 10;
    record('last');
    (await sent(0)).accept();
    await turns();
  };

  it('lets those who come fast share one, and sends it with the first who comes late enough', async () => {
    await crowd({ apartMs: 50_000 });
    for (const name of ['a', 'b']) {
      nowMs += 1;
      record(name);
      await turns();
    }
    expect(log.sent).toHaveLength(1);
    nowMs += 50_000;
    record('c');
    await sent(1);
    expect(log.events(1)).toEqual(['32:a', '33:b', '34:c']);
  });

  it('holds for what came while one was in flight', async () => {
    nowMs = 1000;
    start({ apartFrom: 100, apartMs: 50_000, lingerMs: 60_000 }, false, clock);
    record('a');
    const first = await sent(0);
    record('b');
    nowMs += 10;
    record('c');
    first.accept();
    await turns();
    expect(log.sent).toHaveLength(1);
    nowMs += 50_000;
    record('d');
    await sent(1);
    expect(log.events(1)).toEqual(['2:b', '3:c', '4:d']);
  });

  it('ends by itself', async () => {
    await crowd({ apartMs: 5 });
    record('a');
    await sent(1);
    expect(log.events(1)).toEqual(['32:a']);
  });

  it('is not kept where few wait, nor by a batch that is full', async () => {
    nowMs = 1000;
    start({ apartFrom: 2500, apartMs: 50_000 }, false, clock);
    for (let n = 0; n < 5; n++) {
      record(`${n}`);
      (await sent(n)).accept();
      await turns();
      nowMs += 3;
    }
    await crowd({ apartMs: 50_000, batchEvents: 40 });
    for (let n = 0; n < 41; n++) record(`${n}`);
    await sent(1);
  });

  it('is not kept at the end', async () => {
    await crowd({ apartMs: 50_000 });
    record('a');
    const closed = outbox.close(5000);
    (await sent(1)).accept();
    expect(await closed).toBe(0);
  });
});

describe('when the log is away', () => {
  it('sends the same batch under the same numbers until it is accepted, and only then the next', async () => {
    start({ minBackoffMs: 1, maxBackoffMs: 2 });
    record('a');
    (await sent(0)).fail();
    await expect.poll(() => outbox.healthy).toBe(false);
    record('b');
    (await sent(1)).fail();
    const third = await sent(2);
    expect(log.sent.slice(0, 3).map(({ copy }) => copy)).toEqual(Array(3).fill(log.sent[0]?.copy));
    third.accept();
    await sent(3);
    expect(log.events(3)).toEqual(['2:b']);
    expect(outbox.healthy).toBe(true);
    expect(seen).toMatchObject({ resent: 2, health: ['gone', null], lost: 0 });
    expect(told).toEqual(['a accepted']);
  });

  it('tells waiters at their deadline, once, and still keeps the event', async () => {
    start({ deadlineMs: 30 });
    record('a');
    const first = await sent(0);
    await expect.poll(() => told).toEqual(['a not accepted']);
    first.accept();
    await expect.poll(() => seen.accepted).toBe(1);
    expect(told).toEqual(['a not accepted']);
  });

  it('gives each waiter its own whole deadline', async () => {
    const deadlineMs = 150;
    start({ deadlineMs });
    const waitedMs: number[] = [];
    const wait = () => {
      const beganMs = systemClock.monotonicMs();
      const notAccepted = () => void waitedMs.push(systemClock.monotonicMs() - beganMs);
      outbox.record(String, null, { accepted() {}, notAccepted });
    };
    wait();
    await sent(0);
    await sleep(100);
    wait();
    await expect.poll(() => waitedMs).toHaveLength(2);
    for (const ms of waitedMs) expect(ms).toBeGreaterThanOrEqual(deadlineMs);
  });

  it('lets callers wait through a short outage', async () => {
    start({ deadlineMs: 5000, minBackoffMs: 1, maxBackoffMs: 1 });
    record('a');
    (await sent(0)).fail();
    await expect.poll(() => outbox.healthy).toBe(false);
    record('b');
    (await sent(1)).accept();
    (await sent(2)).accept();
    await expect.poll(() => told).toEqual(['a accepted', 'b accepted']);
  });

  it('tells new callers at once when the outage lasts, until the log is back', async () => {
    const deadlineMs = 500;
    start({ deadlineMs, minBackoffMs: 1, maxBackoffMs: 1 });
    record('a');
    const first = await sent(0);
    await sleep(deadlineMs + 20);
    await expect.poll(() => told).toEqual(['a not accepted']);
    first.fail();
    const retry = await sent(1);
    record('b');
    // Never before `record` returns.
    expect(told).toEqual(['a not accepted']);
    await loopTurn();
    expect(told).toEqual(['a not accepted', 'b not accepted']);
    retry.accept();
    (await sent(2)).accept();
    await expect.poll(() => outbox.pending).toBe(0);
    record('c');
    (await sent(3)).accept();
    await expect.poll(() => told.at(-1)).toBe('c accepted');
    expect(seen.accepted).toBe(3);
  });
});

describe('the memory of a batch', () => {
  const memoryOf = (n: number) => log.sent[n]?.batch.lines.buffer;

  it('is used for a later one when the log has accepted it', async () => {
    start();
    for (let n = 0; n < 4; n++) {
      record(`event ${n}`);
      (await sent(n)).accept();
      await expect.poll(() => outbox.pending).toBe(0);
    }
    expect(memoryOf(1)).toBe(memoryOf(0));
    expect(log.sent.map((_, n) => log.events(n))).toEqual(
      [0, 1, 2, 3].map((n) => [`${n + 1}:event ${n}`]),
    );
  });

  it('stays as it was once sending it has failed: the log may still be reading it when a resend is accepted', async () => {
    start({ minBackoffMs: 1, maxBackoffMs: 1 });
    record('a');
    (await sent(0)).fail();
    (await sent(1)).accept();
    for (let n = 2; n < 6; n++) {
      await expect.poll(() => outbox.pending).toBe(0);
      record('b');
      (await sent(n)).accept();
    }
    expect(memoryOf(1)).toBe(memoryOf(0));
    for (let n = 2; n < 6; n++) expect(memoryOf(n)).not.toBe(memoryOf(0));
    expect(log.sent[0]?.batch.lines.toString()).toBe('1:a\n');
  });

  it('is not written to while the log has it', async () => {
    start({ lingerMs: 1 });
    record('a');
    const first = await sent(0);
    for (let i = 0; i < 100; i++) record('b', i % 2 === 0);
    expect(first.batch).toEqual(first.copy);
    first.accept();
    const second = await sent(1);
    record('c');
    expect(second.batch).toEqual(second.copy);
    expect(log.events(1)).toHaveLength(100);
    second.accept();
  });

  it('knows the account of each event', async () => {
    start();
    for (const account of ['one', 'two', null, 'one'])
      outbox.record((seq) => `${seq}`, account, null);
    const { copy } = await sent(0);
    expect(entriesOf(copy)).toEqual(
      ['one', 'two', null, 'one'].map((account, i) => ({ event: `${i + 1}`, account })),
    );
  });
});

describe('the first question', () => {
  it('finds out that the log is away before anybody calls, and goes on asking', async () => {
    start({ minBackoffMs: 1, maxBackoffMs: 1 }, true);
    expect(log.events(0)).toEqual([]);
    (await sent(0)).fail();
    await expect.poll(() => outbox.healthy).toBe(false);
    (await sent(1)).accept();
    await expect.poll(() => outbox.healthy).toBe(true);
  });

  it('is asked on its own: the first event follows with the first number', async () => {
    start({}, true);
    record('a');
    (await sent(0)).accept();
    (await sent(1)).accept();
    expect(log.sent[1]?.batch.firstSeq).toBe(1);
    expect(log.events(1)).toEqual(['1:a']);
    await expect.poll(() => told).toEqual(['a accepted']);
  });
});

describe('a pause of the process beyond the deadline', () => {
  it('leaves whoever waits the answer that has come meanwhile', async () => {
    start({ deadlineMs: 100 });
    const { port1, port2 } = new MessageChannel();
    record('a');
    const batch = await sent(0);
    port1.once('message', batch.accept);
    port2.postMessage('accepted');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    await expect.poll(() => told).toEqual(['a accepted']);
    port1.close();
  });
});

describe('at its limits', () => {
  it('counts what it has no room for as lost and tells the waiter, without using up a number', async () => {
    start({ maxEvents: 2 });
    for (const name of ['a', 'b', 'c']) record(name);
    record('d', false);
    await loopTurn();
    expect(told).toEqual(['c not accepted']);
    expect(seen).toMatchObject({ lost: 1, unrecorded: 1 });
    (await sent(0)).accept();
    await expect.poll(() => outbox.pending).toBe(0);
    record('e');
    await sent(1);
    expect(log.events(1)).toEqual(['3:e']);
  });

  it('says of each event whether it is kept, and has room for the ends of those that are', async () => {
    start({ maxEvents: 2 });
    const waiter = { accepted() {}, notAccepted() {} };
    const take = () => outbox.record(String, null, waiter);
    expect([take(), take(), take(), outbox.full]).toEqual(['kept', 'kept', 'no-room', true]);
    for (let end = 0; end < 2; end += 1) outbox.recordEnd(String, null);
    expect(outbox.pending).toBe(4);
    (await sent(0)).accept();
    await expect.poll(() => outbox.pending).toBe(0);
    expect(log.events(0)).toEqual(['1', '2', '3', '4']);
    expect(seen).toMatchObject({ lost: 0, unrecorded: 1 });
  });

  it('says of an event in an outage that lasts that it is late', async () => {
    start({ deadlineMs: 1 });
    record('a');
    (await sent(0)).fail();
    await sleep(10);
    expect(outbox.record(String, null, { accepted() {}, notAccepted() {} })).toBe('late');
    (await sent(1)).accept();
  });

  it('has room again in bytes once batches are accepted', async () => {
    start({ maxBytes: 10 });
    record('x'.repeat(20));
    record('b');
    await loopTurn();
    expect(told).toEqual(['b not accepted']);
    (await sent(0)).accept();
    await expect.poll(() => outbox.pending).toBe(0);
    record('c');
    await sent(1);
  });

  it('leaves no hole in the numbers when an event cannot be made', async () => {
    start();
    expect(() =>
      outbox.record(
        () => {
          throw new Error('no event');
        },
        null,
        null,
      ),
    ).toThrow('no event');
    record('a');
    await sent(0);
    expect(log.events(0)).toEqual(['1:a']);
  });

  it('keeps a waiter that throws from those behind it', async () => {
    start();
    outbox.record(String, null, {
      accepted() {
        throw new Error('door fell off');
      },
      notAccepted() {},
    });
    record('b');
    (await sent(0)).accept();
    await expect.poll(() => told).toEqual(['b accepted']);
    expect(seen.faults).toBe(1);
  });
});

describe('closing', () => {
  it('writes out what is queued and takes nothing more', async () => {
    start({ lingerMs: 60_000 });
    record('a', false);
    const closing = outbox.close(5000);
    record('late');
    (await sent(0)).accept();
    expect(await closing).toBe(0);
    expect(seen).toMatchObject({ accepted: 1, lost: 0, unrecorded: 1 });
    expect(told).toEqual(['late not accepted']);
  });

  it('still takes the ends of what it writes out', async () => {
    start();
    outbox.record(String, null, {
      accepted: () => outbox.recordEnd((seq) => `${seq}:end`, null),
      notAccepted() {},
    });
    const closing = outbox.close(5000);
    (await sent(0)).accept();
    (await sent(1)).accept();
    expect(await closing).toBe(0);
    expect(log.events(1)).toEqual(['2:end']);
  });

  it('gives up after its deadline, says how many are left, and tells whoever waits', async () => {
    start();
    record('a');
    const first = await sent(0);
    record('b');
    expect(await outbox.close(20)).toBe(2);
    expect(told).toEqual(['a not accepted', 'b not accepted']);
    expect(seen.lost).toBe(2);
    // The answer that still comes is told to nobody.
    first.accept();
    await loopTurn();
    expect(told).toHaveLength(2);
    expect(outbox.pending).toBe(0);
  });
});
