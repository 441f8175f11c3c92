import { describe, expect, it } from 'vitest';
import { FeedLost, RegistryUnavailable } from '../../../src/registry/port.ts';
import { AccountReads } from '../../../src/registry/replica/account-reads.ts';
import { Announced } from '../../../src/registry/replica/announced.ts';
import { Generation } from '../../../src/registry/replica/generation.ts';
import type { Remembrance } from '../../../src/registry/replica/remembrance.ts';
import { account } from '../account/samples.ts';

const EPOCH = 'epoch-1';
const ANN = account({ id: 'ann' });

/** One generation, and a store whose replies the test gives. */
function reads(maxLookups = 2) {
  const generation = new Generation(
    { epoch: EPOCH, seq: 3, roles: [], teams: [], damagedRoles: [] },
    { maxAccounts: 10, maxNegatives: 10 },
  );
  const asked: { id: string; reply: ReturnType<typeof Promise.withResolvers<Reply>> }[] = [];
  const faults: unknown[] = [];
  const state = { current: true, fetched: 0 };
  const counts = { hit: 0, negative: 0, miss: 0, unavailable: 0 };
  const announced = new Announced({
    source: {
      eventsAfter: async ({ seq }) => {
        state.fetched += 1;
        return [{ seq: seq + 1, changes: [] }];
      },
    },
    timing: { sleep: async () => {}, random: () => 0 },
    isPresent: () => state.current,
    apply: (to, events) => {
      for (const event of events) to.apply(event);
    },
  });
  const made = new AccountReads({
    source: {
      account: (id) => {
        const reply = Promise.withResolvers<Reply>();
        asked.push({ id, reply });
        return reply.promise;
      },
    },
    announced,
    remembered: { against: (read) => (read.id === 'gone' ? null : read) } as Remembrance,
    counts,
    maxLookups,
    isCurrent: () => state.current,
    failed: (_generation, fault) => void faults.push(fault),
  });
  return { generation, asked, faults, state, counts, made };
}

type Reply = Awaited<
  ReturnType<ConstructorParameters<typeof AccountReads>[0]['source']['account']>
>;

const reply = (record: Reply['account'], seq = 3): Reply => ({
  epoch: EPOCH,
  seq,
  account: record,
});

describe('an account that is not cached', () => {
  it('is read once, however many ask, and kept', async () => {
    const { made, generation, asked } = reads();
    const both = [made.of(generation, 'ann'), made.of(generation, 'ann')];
    expect(asked).toHaveLength(1);
    asked[0]!.reply.resolve(reply(ANN));
    const [first, second] = await Promise.all(both);
    expect(first).toMatchObject({ found: 'account', account: { account: { id: 'ann' } } });
    expect(second).toBe(first);
    expect(generation.accounts.size).toBe(1);
    expect(generation.pending.size).toBe(0);
  });

  it('is unavailable, and not absent, where too many are being read', async () => {
    const { made, generation, asked, counts } = reads(1);
    const first = made.of(generation, 'ann');
    expect(made.of(generation, 'bob')).toEqual({ found: 'unavailable' });
    expect(counts.unavailable).toBe(1);
    asked[0]!.reply.resolve(reply(null));
    expect(await first).toEqual({ found: 'absent' });
  });

  it('is absent where it is known to be revoked, whatever the store says', async () => {
    const { made, generation, asked } = reads();
    const found = made.of(generation, 'gone');
    asked[0]!.reply.resolve(reply(account({ id: 'gone' })));
    expect(await found).toEqual({ found: 'absent' });
  });

  it.each([
    ['the store cannot be asked', new RegistryUnavailable('unreachable', 'gone')],
    ['the feed is lost', new FeedLost('gone')],
  ])('is unavailable where %s', async (_why, fault) => {
    const { made, generation, asked, faults } = reads();
    const found = made.of(generation, 'ann');
    asked[0]!.reply.reject(fault);
    expect(await found).toEqual({ found: 'unavailable' });
    expect(faults).toEqual([fault]);
    expect(generation.pending.size).toBe(0);
  });

  it('is unavailable where the registry is another one, or an earlier state', async () => {
    const { made, generation, asked, faults } = reads();
    const found = [made.of(generation, 'ann'), made.of(generation, 'bob')];
    asked[0]!.reply.resolve({ ...reply(ANN), epoch: 'another' });
    asked[1]!.reply.resolve(reply(ANN, 2));
    expect(await Promise.all(found)).toEqual([{ found: 'unavailable' }, { found: 'unavailable' }]);
    expect(faults).toEqual([expect.any(FeedLost), expect.any(FeedLost)]);
  });

  it('is unavailable where what is known counted no more when the reply came', async () => {
    const { made, generation, asked, state } = reads();
    const found = made.of(generation, 'ann');
    state.current = false;
    asked[0]!.reply.resolve(reply(ANN));
    expect(await found).toEqual({ found: 'unavailable' });
    expect(generation.accounts.size).toBe(0);
  });

  it('counts once the feed has come to where it was read, which is fetched if it does not', async () => {
    const { made, generation, asked, state } = reads();
    const found = made.of(generation, 'ann');
    asked[0]!.reply.resolve(reply(ANN, 5));
    expect(await found).toMatchObject({ found: 'account' });
    expect(generation.appliedSeq).toBe(5);
    expect(state.fetched).toBe(2);
  });
});

describe('what the store has announced', () => {
  it('is waited for in vain where the feed does not hold it', async () => {
    const { generation } = reads();
    const announced = new Announced({
      source: { eventsAfter: async () => [] },
      timing: { sleep: async () => {}, random: () => 0 },
      isPresent: () => true,
      apply: () => {},
    });
    await expect(announced.catchUp(generation, 4)).rejects.toThrow(FeedLost);
  });

  it('is not fetched for a generation that has ended, nor where the feed has brought it', async () => {
    const { generation, state, made, asked } = reads();
    const found = made.of(generation, 'ann');
    generation.apply({ seq: 4, changes: [] });
    asked[0]!.reply.resolve(reply(ANN, 4));
    await found;
    expect(state.fetched).toBe(0);
    const gone = new Announced({
      source: { eventsAfter: async () => Promise.reject(new Error('asked')) },
      timing: { sleep: async () => {}, random: () => 0 },
      isPresent: () => false,
      apply: () => {},
    });
    await gone.meet(generation, 9);
  });
});
