import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import type { Clock } from '../../../src/clock.ts';
import { GuessThrottle } from '../../../src/limits/guess-throttle.ts';
import type { GuessLimits } from '../../../src/limits/guessing-client.ts';
import type { Lookup } from '../../../src/registry/replica/port.ts';

const ABSENT: Lookup = { found: 'absent' };
const UNAVAILABLE: Lookup = { found: 'unavailable' };
const FOUND = { found: 'account', account: {} } as Lookup;

/** A registry whose store answers when the test says so. */
class HeldRegistry {
  readonly known = new Map<string, Lookup>();
  readonly asked: { readonly id: string; readonly answer: (lookup: Lookup) => void }[] = [];

  cached(id: string): Lookup | null {
    return this.known.get(id) ?? null;
  }

  lookup(id: string): Lookup | Promise<Lookup> {
    const { promise, resolve } = Promise.withResolvers<Lookup>();
    this.asked.push({ id, answer: resolve });
    return promise;
  }

  get ids(): readonly string[] {
    return this.asked.map(({ id }) => id);
  }

  /** Answers everything that was asked and is not answered yet. */
  async answerAll(lookup: Lookup): Promise<void> {
    for (const { answer } of this.asked.splice(0)) answer(lookup);
    await sleep(0);
  }
}

const LIMITS: Partial<GuessLimits> = {
  allowance: 3,
  windowMs: 60_000,
  quietAtOnce: 4,
  atOncePerClient: 2,
  guessesPerTick: 4,
  tickMs: 1,
  waitingPerClient: 5,
  waitingInAll: 8,
  longestWaitMs: 5_000,
  clients: 3,
};

let nowMs = 0;
const clock: Clock = { wallMs: () => 0, monotonicMs: () => nowMs };
const throttles: GuessThrottle[] = [];

afterEach(() => {
  for (const throttle of throttles.splice(0)) throttle.close();
  nowMs = 0;
});

function open(limits: Partial<GuessLimits> = {}) {
  const registry = new HeldRegistry();
  const throttle = new GuessThrottle({ source: registry, clock, limits: { ...LIMITS, ...limits } });
  throttles.push(throttle);
  const seen: string[] = [];
  const look = (id: string, address: string): void => {
    const answer = throttle.lookup(id, address);
    if (answer instanceof Promise) void answer.then(({ found }) => seen.push(`${id} ${found}`));
    else seen.push(`${id} at once: ${answer.found}`);
  };
  return { registry, throttle, seen, look };
}

/** Makes a client one that guesses. */
async function guess({ registry, look }: ReturnType<typeof open>, address: string): Promise<void> {
  for (let count = 0; count < 4; count += 1) {
    look(`guess-${count}`, address);
    await registry.answerAll(ABSENT);
  }
}

/** Longer than some ticks. */
const ticks = () => sleep(20);

it('answers what is cached at once, also for a client that guesses, and leaves the store alone', async () => {
  const bench = open();
  bench.registry.known.set('known', FOUND).set('gone', ABSENT);
  await guess(bench, '192.0.2.1');
  bench.seen.length = 0;
  bench.look('known', '192.0.2.1');
  bench.look('gone', '192.0.2.1');
  expect(bench.seen).toEqual(['known at once: account', 'gone at once: absent']);
  expect(bench.registry.asked).toEqual([]);
});

it('asks for a quiet client at once, and lets further look-ups wait for the answers', async () => {
  const { registry, look, throttle } = open();
  for (const id of ['a', 'b', 'c', 'd']) look(id, '192.0.2.1');
  expect(registry.ids).toEqual(['a', 'b']);
  expect(throttle.waiting).toBe(2);
  await registry.answerAll(FOUND);
  expect(registry.ids).toEqual(['c', 'd']);
  expect(throttle.waiting).toBe(0);
});

it('goes round the clients that wait: many look-ups of one do not hold up one of another', async () => {
  const { registry, look } = open({ quietAtOnce: 2 });
  for (const id of ['a1', 'a2', 'a3', 'a4', 'a5']) look(id, '192.0.2.1');
  look('b1', '192.0.2.2');
  expect(registry.ids).toEqual(['a1', 'a2']);
  await registry.answerAll(FOUND);
  expect([...registry.ids].sort()).toEqual(['a3', 'b1']);
});

it('keeps the lane of quiet clients free, however much is guessed', async () => {
  const bench = open();
  await guess(bench, '192.0.2.1');
  for (const id of ['g1', 'g2', 'g3', 'g4', 'g5']) bench.look(id, '192.0.2.1');
  expect(bench.registry.ids).toEqual([]);
  bench.look('quiet', '192.0.2.2');
  expect(bench.registry.ids).toEqual(['quiet']);
  await ticks();
  expect(bench.registry.ids).toEqual(['quiet', 'g1', 'g2', 'g3', 'g4']);
  // Guesses that the store has not answered take up the next ticks.
  await ticks();
  expect(bench.registry.ids).not.toContain('g5');
});

it('lets a valid token of a client that guesses through in its turn', async () => {
  const bench = open();
  await guess(bench, '192.0.2.1');
  bench.seen.length = 0;
  for (const id of ['g1', 'g2', 'g3', 'valid']) bench.look(id, '192.0.2.1');
  await ticks();
  for (const { id, answer } of bench.registry.asked.splice(0))
    answer(id === 'valid' ? FOUND : ABSENT);
  await ticks();
  expect(bench.seen).toContain('valid account');
});

it('divides what may be guessed evenly among all who do', async () => {
  const bench = open();
  await guess(bench, '192.0.2.1');
  await guess(bench, '192.0.2.2');
  for (const id of ['a1', 'a2', 'a3', 'a4']) bench.look(id, '192.0.2.1');
  for (const id of ['b1', 'b2', 'b3', 'b4']) bench.look(id, '192.0.2.2');
  await ticks();
  expect([...bench.registry.ids].sort()).toEqual(['a1', 'a2', 'b1', 'b2']);
});

it('counts a whole /64 of IPv6 as one client', async () => {
  const bench = open();
  await guess(bench, '2001:db8::1');
  expect(bench.throttle.guessing('2001:db8::ffff')).not.toBeNull();
  expect(bench.throttle.guessing('2001:db8:0:1::1')).toBeNull();
});

it('says only of a client beyond its allowance that it guesses, and until when', async () => {
  const bench = open();
  for (let count = 0; count < 3; count += 1) {
    bench.look(`guess-${count}`, '192.0.2.1');
    await bench.registry.answerAll(ABSENT);
  }
  expect(bench.throttle.guessing('192.0.2.1')).toBeNull();
  bench.look('one-more', '192.0.2.1');
  await bench.registry.answerAll(ABSENT);
  const standing = bench.throttle.guessing('192.0.2.1');
  expect(standing).toEqual({
    retryAfterSeconds: 20,
    policy: '"unknown-tokens";q=3;w=60',
    limit: '"unknown-tokens";r=0;t=20',
  });
  nowMs += 20_000;
  expect(bench.throttle.guessing('192.0.2.1')).toBeNull();
});

it('never takes an account that was found, or a store that did not answer, for a guess', async () => {
  const bench = open();
  for (let count = 0; count < 20; count += 1) {
    bench.look(`id-${count}`, '192.0.2.1');
    await bench.registry.answerAll(count % 2 === 0 ? FOUND : UNAVAILABLE);
  }
  expect(bench.throttle.guessing('192.0.2.1')).toBeNull();
});

it('forgives within two windows, however much was guessed', async () => {
  const bench = open();
  for (let count = 0; count < 10; count += 1) await guess(bench, '192.0.2.1');
  await ticks();
  await bench.registry.answerAll(ABSENT);
  expect(bench.throttle.guessing('192.0.2.1')?.retryAfterSeconds).toBeLessThanOrEqual(60);
  nowMs += 60_001;
  expect(bench.throttle.guessing('192.0.2.1')).toBeNull();
});

it('says that nobody knows, and never "no", when its queues are full', async () => {
  const bench = open({ quietAtOnce: 0 });
  for (let count = 0; count < 6; count += 1) bench.look(`a${count}`, '192.0.2.1');
  expect(bench.seen).toEqual(['a5 at once: unavailable']);
  for (let count = 0; count < 4; count += 1) bench.look(`b${count}`, '192.0.2.2');
  expect(bench.seen).toEqual(['a5 at once: unavailable', 'b3 at once: unavailable']);
  expect(bench.throttle.waiting).toBe(8);
});

it('ends a wait that takes too long', async () => {
  const bench = open({ quietAtOnce: 0 });
  bench.look('a', '192.0.2.1');
  nowMs += 4_999;
  await ticks();
  expect(bench.seen).toEqual([]);
  nowMs += 1;
  await ticks();
  expect(bench.seen).toEqual(['a unavailable']);
});

it('counts clients beyond its table as one, and makes room for them when others have gone quiet', async () => {
  const bench = open();
  for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) await guess(bench, address);
  await guess(bench, '192.0.2.4');
  expect(bench.throttle.guessing('192.0.2.5')).not.toBeNull();
  nowMs += 200_000;
  await guess(bench, '192.0.2.6');
  expect(bench.throttle.guessing('192.0.2.6')).not.toBeNull();
  expect(bench.throttle.guessing('192.0.2.5')).toBeNull();
});

it('tells whoever waits at its end that nobody knows', async () => {
  const bench = open({ quietAtOnce: 0 });
  bench.look('a', '192.0.2.1');
  bench.throttle.close();
  await ticks();
  bench.look('b', '192.0.2.1');
  expect(bench.seen).toEqual(['a unavailable', 'b at once: unavailable']);
});
