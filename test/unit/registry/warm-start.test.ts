import { describe, expect, it } from 'vitest';
import { type FeedEvent, FeedLost, RegistryUnavailable } from '../../../src/registry/port.ts';
import type { StoreState } from '../../../src/registry/position.ts';
import { warmAccounts } from '../../../src/registry/warm/start.ts';
import { account, digestOf, idOf } from '../../contract/registry-records.ts';

const at = (seq: number, parts: Partial<StoreState> = {}): StoreState => ({
  epoch: 'e',
  seq,
  tip: `tip-${seq}`,
  tombstones: 0,
  ...parts,
});
const snapshot = { at: at(5), accounts: [account(1, { version: 1 }), account(2, { version: 2 })] };

/** The change at `seq`: account `n` gets another token, or is deleted. */
function event(seq: number, n: number, digest: string | null, tip = `tip-${seq}`): FeedEvent {
  const record =
    digest === null
      ? null
      : account(n, { version: seq, token: { digest, createdAt: '2026-01-01T00:00:00.000Z' } });
  return { seq, prev: `tip-${seq - 1}`, tip, changes: [{ kind: 'account', key: idOf(n), record }] };
}

/**
 * A feed that answers with what comes after a position, at most `batch` at once. What it is asked
 * for before is not checked: that is the store's part.
 */
const feed = (events: readonly FeedEvent[], batch = 256) => ({
  eventsAfter: async (from: { readonly seq: number }) =>
    events.filter(({ seq }) => seq > from.seq).slice(0, batch),
});

describe('the accounts of a snapshot', () => {
  it('are taken as they are where nothing has changed since', async () => {
    const { accounts } = await warmAccounts(feed([]), snapshot, at(5));
    expect([...(accounts ?? [])].map(([, one]) => one)).toEqual(snapshot.accounts);
  });

  it('get every change since, over several reads, the last one last, and no account that was not held', async () => {
    const events = [
      event(6, 1, digestOf(61)),
      event(7, 3, digestOf(73)),
      event(8, 1, digestOf(81)),
      event(9, 2, null),
    ];
    const { accounts } = await warmAccounts(feed(events, 2), snapshot, at(9));
    expect([...(accounts?.keys() ?? [])]).toEqual([idOf(1)]);
    expect(accounts?.get(idOf(1))?.token?.digest).toBe(digestOf(81));
  });

  it('are left out where what they have become cannot be read', async () => {
    const unreadable = { ...event(6, 3, null), unreadable: [idOf(1)] };
    const { accounts } = await warmAccounts(feed([unreadable]), snapshot, at(6));
    expect([...(accounts?.keys() ?? [])]).toEqual([idOf(2)]);
  });

  it('do not come back once deleted, whatever the feed says later', async () => {
    const { accounts } = await warmAccounts(
      feed([event(6, 1, null), event(7, 1, digestOf(71))]),
      snapshot,
      at(7),
    );
    expect(accounts?.has(idOf(1))).toBe(false);
  });

  it('stand at the position that was asked for, not at what happened while the feed was read', async () => {
    const { accounts } = await warmAccounts(
      feed([event(6, 1, digestOf(61)), event(7, 1, digestOf(71))]),
      snapshot,
      at(6),
    );
    expect(accounts?.get(idOf(1))?.token?.digest).toBe(digestOf(61));
  });
});

describe('the accounts of a snapshot count for nothing', () => {
  const cases: Record<string, readonly [StoreState, readonly FeedEvent[]]> = {
    'in another epoch': [at(5, { epoch: 'f' }), []],
    'when the store is behind': [at(4), []],
    'when other tombstones are told of': [at(5, { tombstones: 1 }), []],
    'when the store stands at their number and at another change': [at(5, { tip: 'other' }), []],
    'when the feed ends before the present': [at(7), [event(6, 1, digestOf(61))]],
    'when the feed leads to another change than the present': [
      at(6),
      [event(6, 1, digestOf(61), 'other')],
    ],
  };
  for (const [title, [now, events]] of Object.entries(cases)) {
    it(title, async () =>
      expect((await warmAccounts(feed(events), snapshot, now)).accounts).toBeNull(),
    );
  }

  it('when the feed is lost or cannot be read', async () => {
    for (const fault of [new FeedLost('a gap'), new RegistryUnavailable('damaged', 'an entry')]) {
      const source = { eventsAfter: () => Promise.reject(fault) };
      expect(await warmAccounts(source, snapshot, at(6))).toEqual({
        accounts: null,
        why: fault.message,
      });
    }
  });

  it('but are not given up while the store does not answer', async () => {
    const source = {
      eventsAfter: () => Promise.reject(new RegistryUnavailable('unreachable', 'away')),
    };
    await expect(warmAccounts(source, snapshot, at(6))).rejects.toThrow('away');
  });
});
