import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CALLS, type CallCase, underWay } from '../contract/calls.ts';
import { ask, expectAsked } from '../contract/calls-asked.ts';
import { type Played, type Stage, startStage } from '../contract/calls-stage.ts';
import { http1Door } from '../contract/door-http1.ts';
import { http2Door } from '../contract/door-http2.ts';
import { have, requireOrSkip } from '../support/system.ts';

/**
 * The same calls through every door: the same decision, the same record, the same response, and
 * the same request at the upstream. A door is one line here.
 */
const DOORS = [http1Door(true), http1Door(false), http2Door(true), http2Door(false)];

let stage: Stage;

beforeAll(async () => {
  if (have('redis-server')) stage = await startStage();
}, 60_000);
beforeEach((ctx) => requireOrSkip(ctx, 'redis-server'));
afterAll(() => stage?.stop());

/** Through all doors at once. */
const throughAll = (call: CallCase, meanwhile?: () => Promise<void>) =>
  Promise.all(DOORS.map((door) => stage.play(door, call, meanwhile)));

/** The first door's is what the table says, and every other one's is the same. */
async function expectSame(call: CallCase, played: readonly Played[]) {
  const { decided, saw = decided === 'permitted' ? 'whole' : 'nothing' } = call;
  const { ended = decided === 'permitted' ? 'permitted' : null } = call;
  const outcomes = ended === null ? 0 : 1;
  const seen = await Promise.all(played.map((each) => stage.recorded(each, outcomes)));
  const [first, ...others] = seen;
  const { response, upstream, door, decision, outcome } = first!;
  for (const [index, other] of others.entries())
    expect({ ...other!, door }, `${call.what}: ${DOORS[index + 1]!.name}`).toEqual(first);
  expect(decision, call.what).toMatchObject({ reason: decided });
  expect(outcome?.reason ?? null, call.what).toBe(ended);
  expect(response?.status ?? 0, call.what).toBe(call.status);
  expect(typeof upstream === 'string' ? upstream : 'whole', call.what).toBe(saw);
  return decision!;
}

describe.concurrent('one call through every door', () => {
  it.each(CALLS)('$what', { timeout: 60_000 }, async (call) => {
    const decision = await expectSame(call, await throughAll(call));
    if (call.asked !== null) await expectAsked(stage, call, decision, await ask(stage, call));
  });
});

/** Starts the calls, and lets something befall their gates once all of them are under way. */
async function befalls(calls: readonly CallCase[], what: () => Promise<void>) {
  let missing = calls.length * DOORS.length;
  const all = Promise.withResolvers<void>();
  const played = calls.map((call) =>
    throughAll(call, async () => {
      missing -= 1;
      if (missing === 0) all.resolve(what());
      await all.promise;
    }),
  );
  return Promise.all(played);
}

describe('calls that are under way through every door', () => {
  it('end with the lease, after which nobody is let in', { timeout: 60_000 }, async () => {
    const calls = underWay('registry-unavailable');
    const played = await befalls(calls, async () => stage.redis.pause());
    const refused: CallCase = {
      what: 'after the lease',
      target: '/app/a',
      decided: 'registry-unavailable',
      status: 503,
    };
    const [late, asked] = [await throughAll(refused), await ask(stage, refused)];
    stage.redis.resume();
    for (const [index, call] of calls.entries()) await expectSame(call, played[index]!);
    await expectAsked(stage, refused, await expectSame(refused, late), asked);
  });

  it('end with a gate that closes, once they had their time', { timeout: 60_000 }, async () => {
    const calls = underWay('draining');
    const played = await befalls(calls, async () => stage.close());
    for (const [index, call] of calls.entries()) await expectSame(call, played[index]!);
  });
});
