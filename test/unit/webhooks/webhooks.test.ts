import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { changeEvent } from '../../../src/audit/event/change-event.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import type { Hook } from '../../../src/webhooks/port.ts';
import { Webhooks } from '../../../src/webhooks/webhooks.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const hook = { name: 'siem', events: new Set(['account-created']) } as unknown as Hook;
const event = changeEvent({
  ...{ id: 'one', timeMs: Date.now(), type: 'account-created', instance: null },
  actor: { id: null, name: 'test', kind: 'operator', via: 'command-line' },
  target: { kind: 'account', id: 'a', name: 'a' },
  ...{ before: null, after: null, requestId: null, clientAddress: null },
});
const forever = () => new Promise<never>(() => {});

/** With a receiver that never answers. */
function leader(lead: () => Promise<boolean>, look: () => Promise<void>) {
  const stops: AbortSignal[] = [];
  const place = { changes: '0', notices: '0' };
  const webhooks = new Webhooks({
    instance: 'one',
    store: { lead, word: async () => JSON.stringify(place) } as never,
    source: {
      end: async () => place,
      after: async () => [{ log: 'changes', at: '1', event }],
    },
    senderOf: () =>
      ({
        send: (_: unknown, __: number, stop: AbortSignal) => {
          stops.push(stop);
          return forever();
        },
      }) as never,
    clock: { wallMs: Date.now, monotonicMs: Date.now },
    count: () => {},
    log: createLog({ format: 'json', level: 'error', write: () => {} }),
    leading: { look, rest: () => {} },
  });
  webhooks.configure([hook]);
  return stops;
}

it('renews its lease however long it looks for who expires', async () => {
  const lead = vi.fn(async () => true);
  const look = vi.fn(forever);
  const stops = leader(lead, look);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(lead.mock.calls.length).toBeGreaterThan(10);
  expect(look).toHaveBeenCalledTimes(1);
  expect(stops.map(({ aborted }) => aborted)).toEqual([false]);
});

it('stops what is under way when its lease is over, also while nobody answers', async () => {
  let asked = 0;
  const stops = leader(
    async () => (++asked === 1 ? true : forever()),
    async () => {},
  );
  await vi.advanceTimersByTimeAsync(14_000);
  expect(stops.map(({ aborted }) => aborted)).toEqual([false]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(stops.map(({ aborted }) => aborted)).toEqual([true]);
});
