import { expect, it } from 'vitest';
import type { Committed } from '../../../src/registry/commit.ts';
import type { Assurance, InstanceProgress } from '../../../src/registry/members.ts';
import { RegistryUnavailable } from '../../../src/registry/port.ts';
import { awaitReceipt } from '../../../src/registry/receipts/receipt.ts';
import { ManualClock } from './held-source.ts';

const COMMITTED: Committed = {
  committed: true,
  epoch: 'e',
  seq: 7,
  replicated: true,
  members: [
    { instance: 'a', leaseMs: 30_000 },
    { instance: 'b', leaseMs: 90_000 },
  ],
};

const applied = (instance: string, seq: number, epoch = 'e'): InstanceProgress => ({
  instance,
  registered: true,
  renewal: '1',
  applied: { epoch, seq },
});
const silent = (instance: string): InstanceProgress => ({
  instance,
  registered: true,
  renewal: '1',
  applied: null,
});
const gone = (instance: string): InstanceProgress => ({
  instance,
  registered: false,
  renewal: null,
  applied: null,
});

/**
 * The receipt when the store answers so, one list per question, the last for ever; time passes only
 * in pauses.
 */
async function receipt(
  answers: readonly (readonly InstanceProgress[] | Error)[],
  parts: Partial<Committed> = {},
  assurance?: Assurance,
  { held = true, waitMs = 5_000, forgotten = [] as string[] } = {},
) {
  const clock = new ManualClock();
  let asked = 0;
  const store = {
    progress: async (instances: readonly string[]) => {
      const answer = answers[Math.min(asked++, answers.length - 1)]!;
      if (answer instanceof Error) throw answer;
      return answer.filter(({ instance }) => instances.includes(instance));
    },
    holds: async () => held,
    forget: async (instance: string) => forgotten.push(instance) > 0,
    assurance: async () => {
      if (assurance === undefined) throw new RegistryUnavailable('forbidden', 'no right to know');
      return assurance;
    },
  };
  const timing = {
    sleep: async (ms: number) => {
      clock.nowMs += ms;
    },
    random: () => 0,
  };
  return awaitReceipt(
    { ...COMMITTED, ...parts },
    { store, clock, timing, waitMs, sentMs: clock.nowMs - 3 },
  );
}

const PROVEN: Assurance = { assurance: 'proven', marginMs: 0 };

it('is effective once everybody has acknowledged the change or a later one, and says how long the slowest took', async () => {
  const answer = await receipt(
    [[applied('a', 7), silent('b')], [silent('b')], [applied('b', 9)]],
    {},
    PROVEN,
  );
  expect(answer).toMatchObject({
    effective: true,
    assurance: 'proven',
    instances: 2,
    acknowledged: 2,
    lapsed: 0,
    certainAt: null,
  });
  expect(answer.slowestMs).toBeGreaterThan(3);
});

it('is effective at once when nobody is there', async () => {
  expect(await receipt([[]], { members: [] }, PROVEN)).toMatchObject({
    effective: true,
    instances: 0,
    slowestMs: null,
  });
});

it('takes neither an earlier acknowledgement nor one of another registry', async () => {
  expect(await receipt([[applied('a', 6), applied('b', 9, 'other')]], {}, PROVEN)).toMatchObject({
    effective: false,
    acknowledged: 0,
  });
});

it('does not wait for those who have said goodbye', async () => {
  expect(await receipt([[applied('a', 7), gone('b')]], {}, PROVEN)).toMatchObject({
    effective: true,
    acknowledged: 1,
    lapsed: 1,
  });
});

it('says when it is certain by the largest lease of all, whoever is late', async () => {
  const answer = await receipt(
    [[silent('a'), applied('b', 7)]],
    {},
    { assurance: 'topology-dependent', marginMs: 4_000 },
  );
  // The store keeps a lease half a percent longer than the instance trusts it.
  expect(answer).toMatchObject({
    effective: false,
    acknowledged: 1,
    certainAt: new Date(1_000 + 90_450 + 4_000).toISOString(),
  });
});

it('goes on asking a store that does not answer, and shows nothing that it could not find out', async () => {
  const away = new RegistryUnavailable('unreachable', 'away');
  expect(await receipt([away, away, [applied('a', 7), applied('b', 7)]])).toMatchObject({
    effective: true,
    assurance: 'topology-dependent',
  });
  expect(await receipt([away])).toMatchObject({ effective: false, acknowledged: 0 });
});

it('is not effective while too few replicas have the change', async () => {
  expect(
    await receipt([[applied('a', 7), applied('b', 7)]], { replicated: false }, PROVEN),
  ).toMatchObject({
    effective: false,
    acknowledged: 2,
  });
});

it('is not effective, and never will be, when the store has lost the change meanwhile', async () => {
  const answer = await receipt([[applied('a', 7), applied('b', 7)]], {}, PROVEN, {
    held: false,
  });
  expect(answer).toMatchObject({ effective: false, lost: true, certainAt: null });
});

it('counts a lease by itself where the store may have lost its last renewal', async () => {
  const dependent: Assurance = { assurance: 'topology-dependent', marginMs: 0 };
  expect(await receipt([[applied('a', 7), gone('b')]], {}, dependent)).toMatchObject({
    effective: false,
    lapsed: 0,
  });
  const members = [{ instance: 'b', leaseMs: 2_000 }];
  const answer = await receipt([[gone('b')]], { members }, dependent);
  expect(answer).toMatchObject({ effective: true, lapsed: 1 });
  expect(answer.slowestMs).toBeGreaterThanOrEqual(2_000);
});

it('counts everybody as gone whose lease from before the change is over by its own clock, and forgets who has not renewed since', async () => {
  const members = [
    { instance: 'dead', leaseMs: 2_000 },
    { instance: 'mute', leaseMs: 2_000 },
  ];
  const forgotten: string[] = [];
  let renewals = 0;
  const mute = () => ({ ...silent('mute'), renewal: String(renewals++) });
  const answers = Array.from({ length: 200 }, () => [silent('dead'), mute()]);
  const answer = await receipt(answers, { members }, PROVEN, { forgotten });
  expect(answer).toMatchObject({ effective: true, acknowledged: 0, lapsed: 2 });
  expect(answer.slowestMs).toBeGreaterThanOrEqual(2_020);
  expect(forgotten).toEqual(['dead']);
  expect(await receipt(answers, { members }, PROVEN, { waitMs: 2_000 })).toMatchObject({
    effective: false,
    lapsed: 0,
  });
});
