import { beforeEach, describe, expect, it } from 'vitest';
import { changeEvent } from '../../../src/audit/event/change-event.ts';
import { StoreUnavailable } from '../../../src/store/fault.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { DELIVERY_LIMITS, Delivery } from '../../../src/webhooks/delivery.ts';
import type { Message } from '../../../src/webhooks/message.ts';
import type { Hook, LoggedEvent, Place } from '../../../src/webhooks/port.ts';
import type { Attempt } from '../../../src/webhooks/sender.ts';

const NOW_MS = 1_900_000_000_000;
const never = new AbortController().signal;

const hook: Hook = {
  name: 'siem',
  url: 'https://siem.test/',
  events: new Set(['account-created']),
  keys: [],
  ca: null,
  networks: null,
};

function event(number: number, type: 'account-created' | 'role-created' = 'account-created') {
  const target = { kind: 'account', id: `id-${number}`, name: `n-${number}` } as const;
  return changeEvent({
    id: `event-${number}`,
    timeMs: NOW_MS + number,
    type,
    instance: null,
    actor: { id: null, name: 'test', kind: 'operator', via: 'command-line' },
    target,
    before: null,
    after: null,
    requestId: null,
    clientAddress: null,
  });
}

describe('a delivery', () => {
  let wallMs = NOW_MS;
  let monotonicMs = 0;
  let answers: Attempt[] = [];
  let sent: Message[] = [];
  let counts: string[] = [];
  let lines: string[] = [];
  let kept: string | null = null;
  let keeps = true;
  let log: LoggedEvent[] = [];

  beforeEach(() => {
    [wallMs, monotonicMs] = [NOW_MS, 0];
    [answers, sent, counts, lines, log] = [[], [], [], [], []];
    kept = JSON.stringify({ changes: '0', notices: '0' } satisfies Place);
    keeps = true;
  });

  function add(...events: readonly string[]): void {
    for (const one of events) log.push({ log: 'changes', at: String(log.length + 1), event: one });
  }

  /** Of an instance that has just become the one that delivers. */
  function begin(
    end = async (): Promise<Place> => ({ changes: String(log.length), notices: '0' }),
  ): Delivery {
    return new Delivery({
      hook,
      sender: {
        send: async (message) => {
          sent.push(message);
          return answers.shift() ?? { result: 'delivered' };
        },
        close: async () => {},
      },
      source: {
        end,
        after: async ({ changes }) => log.slice(Number(changes), Number(changes) + 3),
      },
      store: {
        word: async () => kept,
        keep: async (_name, word) => {
          if (!keeps) throw new StoreUnavailable('unreachable', null, 'it is away');
          kept = word;
        },
      },
      clock: { wallMs: () => wallMs, monotonicMs: () => monotonicMs },
      count: (result) => void counts.push(result),
      log: createLog({ format: 'json', level: 'info', write: (line) => void lines.push(line) }),
      random: () => 0,
    });
  }

  const ids = () => sent.map(({ id }) => id);

  it('begins with what comes, where nothing is known of it', async () => {
    kept = null;
    add(event(1));
    const delivery = begin();
    await delivery.run(never);
    add(event(2));
    await delivery.run(never);
    expect(ids()).toEqual(['event-2']);
  });

  it('sends what was asked for, and keeps how far it has come', async () => {
    add(event(1), event(2, 'role-created'), event(3), event(4), event(5));
    await begin().run(never);
    expect(ids()).toEqual(['event-1', 'event-3', 'event-4', 'event-5']);
    expect(kept).toBe('{"changes":"5","notices":"0"}');
    await begin().run(never);
    expect(sent).toHaveLength(4);
  });

  it('sends once more, with the same id, what it could not note', async () => {
    add(event(1), event(2));
    keeps = false;
    await begin().run(never);
    expect(ids()).toEqual(['event-1']);
    keeps = true;
    await begin().run(never);
    expect(ids()).toEqual(['event-1', 'event-1', 'event-2']);
  });

  it('waits longer after each failure, for ten minutes at most, and then goes on in order', async () => {
    add(event(1), event(2));
    const delivery = begin();
    answers = Array.from({ length: 12 }, () => ({ result: 'failed', why: 'status 503' }));
    const pauses: number[] = [];
    for (let tried = 0; answers.length > 0; ) {
      tried = sent.length;
      const since = monotonicMs;
      for (; sent.length === tried; monotonicMs += 1_000) await delivery.run(never);
      pauses.push(monotonicMs - since);
    }
    expect(pauses.slice(1, 5)).toEqual([1_000, 2_000, 4_000, 8_000]);
    expect(Math.max(...pauses)).toBe(DELIVERY_LIMITS.longestPauseMs);
    monotonicMs += DELIVERY_LIMITS.longestPauseMs;
    await delivery.run(never);
    expect(ids().slice(-2)).toEqual(['event-1', 'event-2']);
    expect(new Set(ids())).toEqual(new Set(['event-1', 'event-2']));
    // Told once that it fails, and once that it does no more.
    expect(lines.map((line) => JSON.parse(line).message ?? JSON.parse(line).msg)).toHaveLength(2);
    expect(counts.filter((one) => one === 'failed')).toHaveLength(12);
  });

  it('drops what the receiver refuses for an hour, and what is older than a day', async () => {
    add(event(1), event(2));
    const delivery = begin();
    answers = Array.from({ length: 40 }, () => ({ result: 'refused', why: 'status 400' }));
    for (; monotonicMs < DELIVERY_LIMITS.refusedForMs; monotonicMs += 1_000)
      await delivery.run(never);
    expect(new Set(ids())).toEqual(new Set(['event-1']));
    expect(counts.length).toBeGreaterThan(DELIVERY_LIMITS.refusals);
    expect(counts).not.toContain('dropped');
    answers = [{ result: 'refused', why: 'status 400' }];
    monotonicMs += DELIVERY_LIMITS.longestPauseMs;
    await delivery.run(never);
    expect(ids().at(-1)).toBe('event-2');
    expect(counts.slice(-2)).toEqual(['dropped', 'delivered']);
    const before = sent.length;
    add(event(3));
    wallMs = NOW_MS + 3 + DELIVERY_LIMITS.oldestMs + 1;
    await delivery.run(never);
    expect(sent).toHaveLength(before);
    expect(counts.at(-1)).toBe('dropped');
    expect(lines.join('\n')).toContain('older than a day');
  });

  it('sends an event that is very long without the records before and after it', async () => {
    const long = JSON.parse(event(1)) as Record<string, unknown>;
    const name = 'x'.repeat(4_000);
    const after = { permissions: Array.from({ length: 40 }, () => name) };
    add(JSON.stringify({ ...long, after }));
    await begin().run(never);
    const { data } = JSON.parse(sent[0]!.body) as { data: Record<string, unknown> };
    expect([sent[0]!.body.length < 65_536, data.id, data.after]).toEqual([true, 'event-1', null]);
  });

  it.each([
    ['an older copy', '9', '2', '2'],
    ['an older copy in Redis', '1900000000000-7', '1900000000000-2', '1900000000000-2'],
    ['one that Redis has emptied', '1900000000000-7', '0-0', '1900000000000-7'],
  ])('goes on at the end where its log is %s', async (_, was, end, is) => {
    kept = JSON.stringify({ changes: was, notices: '0' });
    const delivery = begin(async () => ({ changes: end, notices: '5' }));
    await delivery.run(never);
    expect(JSON.parse(kept)).toEqual({ changes: is, notices: '0' });
    expect(lines).toHaveLength(is === was ? 0 : 1);
  });

  it('ends where it is told to, and says nothing of the receiver then', async () => {
    add(event(1), event(2));
    const stop = new AbortController();
    answers = [{ result: 'failed', why: 'aborted' }];
    stop.abort();
    await begin().run(stop.signal);
    expect([sent, counts]).toEqual([[], []]);
  });
});
