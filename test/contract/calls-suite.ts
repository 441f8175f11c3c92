import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { have, requireOrSkip } from '../support/system.ts';
import { CALLS, type CallCase, underWay } from './calls.ts';
import { ask, expectAsked } from './calls-asked.ts';
import { type Played, type Stage, type StageOptions, startStage } from './calls-stage.ts';
import type { DoorUnderTest } from './door-under-test.ts';

/** What never comes so far is the same with any upstream. */
function concernsHttp2({ decided, saw, upstreams }: CallCase): boolean {
  return decided === 'permitted' && saw !== 'nothing' && upstreams !== 'http1';
}

/**
 * The same calls through every door: the same decision, the same record, the same response, and
 * the same request at the upstream.
 */
export function describeCalls(doors: readonly DoorUnderTest[], options: StageOptions): void {
  const isHttp2 = options.upstreams === 'http2';
  // What is asked about comes to no upstream.
  const asks = !isHttp2;
  const calls = isHttp2 ? CALLS.filter(concernsHttp2) : CALLS;
  let stage: Stage;

  beforeAll(async () => {
    if (have('redis-server')) stage = await startStage(options);
  }, 60_000);
  beforeEach((ctx) => requireOrSkip(ctx, 'redis-server'));
  afterAll(() => stage?.stop());

  /** Through all doors at once. */
  const throughAll = (call: CallCase, meanwhile?: () => Promise<void>) =>
    Promise.all(doors.map((door) => stage.play(door, call, meanwhile)));

  /** The first door's is what the table says, and every other one's is the same. */
  async function expectSame(call: CallCase, played: readonly Played[]) {
    const { decided, saw = decided === 'permitted' ? 'whole' : 'nothing' } = call;
    const { ended = decided === 'permitted' ? 'permitted' : null } = call;
    const outcomes = ended === null ? 0 : 1;
    const seen = await Promise.all(played.map((each) => stage.recorded(each, outcomes)));
    const [first, ...others] = seen;
    const { response, upstream, door, decision, outcome } = first!;
    for (const [index, other] of others.entries())
      expect({ ...other!, door }, `${call.what}: ${doors[index + 1]!.name}`).toEqual(first);
    expect(decision, call.what).toMatchObject({ reason: decided });
    expect(outcome?.reason ?? null, call.what).toBe(ended);
    expect(response?.status ?? 0, call.what).toBe(call.status);
    expect(typeof upstream === 'string' ? upstream : 'whole', call.what).toBe(saw);
    return decision!;
  }

  describe.concurrent('one call through every door', () => {
    it.each(calls)('$what', { timeout: 60_000 }, async (call) => {
      const decision = await expectSame(call, await throughAll(call));
      if (asks && call.asked !== null)
        await expectAsked(stage, call, decision, await ask(stage, call));
    });
  });

  /** Starts the calls, and lets something befall their gates once all of them are under way. */
  async function befalls(all: readonly CallCase[], what: () => Promise<void>) {
    let missing = all.length * doors.length;
    const begun = Promise.withResolvers<void>();
    const played = all.map((call) =>
      throughAll(call, async () => {
        missing -= 1;
        if (missing === 0) begun.resolve(what());
        await begun.promise;
      }),
    );
    return Promise.all(played);
  }

  describe('calls that are under way through every door', () => {
    it('end with the lease, after which nobody is let in', { timeout: 60_000 }, async () => {
      const open = underWay('registry-unavailable');
      const played = await befalls(open, async () => stage.redis.pause());
      const refused: CallCase = {
        what: 'after the lease',
        target: '/app/a',
        decided: 'registry-unavailable',
        status: 503,
      };
      const late = await throughAll(refused);
      const asked = asks ? await ask(stage, refused) : [];
      stage.redis.resume();
      for (const [index, call] of open.entries()) await expectSame(call, played[index]!);
      const decision = await expectSame(refused, late);
      if (asks) await expectAsked(stage, refused, decision, asked);
    });

    it('end with a gate that closes, once they had their time', { timeout: 60_000 }, async () => {
      const open = underWay('draining');
      await stage.ready();
      const played = await befalls(open, async () => stage.close());
      for (const [index, call] of open.entries()) await expectSame(call, played[index]!);
    });
  });
}
