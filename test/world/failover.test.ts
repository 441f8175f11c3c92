import { expect, it, onTestFinished } from 'vitest';
import { asAdmin, replicated } from '../support/redis-replication.ts';
import { keepCalling } from '../support/world/callers.ts';
import { NAMES, PLACES, PORTS } from '../support/world/places.ts';
import { holds } from '../support/world/programs.ts';
import { requireWorld } from '../support/world/require.ts';
import { startWorld, startWorldRedis } from '../support/world/world.ts';

const LIMIT = { timeout: 120_000 };
const ONE_CALL = { callers: 1, callsPerSecond: 100, posts: false } as const;

it(
  'follows a Redis that fails over behind its name, there and back, without a restart',
  LIMIT,
  async (ctx) => {
    requireWorld(ctx);
    const world = await startWorld();
    onTestFinished(() => world.stop());
    const { redis: first, gates, points, token, caFile } = world;
    const second = await startWorldRedis(1);
    onTestFinished(() => second.stop());
    const follows = (one: typeof first, other: string) =>
      asAdmin(one, null, (root) => root.call('REPLICAOF', other, PORTS.redis));
    const leads = (one: typeof first) =>
      asAdmin(one, null, (root) => root.call('REPLICAOF', 'NO', 'ONE'));
    const serve = () =>
      holds('calls are let in by both gates', async () => {
        const calling = keepCalling({ token, caFile, ...ONE_CALL });
        await holds('both gates are ready', async () =>
          (await Promise.all(gates.map((gate) => gate.readyz()))).every(({ ready }) => ready),
        );
        const { calls, failed } = await calling.end();
        return calls > 0 && failed.length === 0;
      });
    await serve();
    await follows(second, PLACES.redis[0]);
    await replicated(first, null);
    // The one that was primary lives on, as a replica.
    await leads(second);
    points(NAMES.redis, [PLACES.redis[1]]);
    await follows(first, PLACES.redis[1]);
    await serve();
    await replicated(second, null);
    // The other one is gone, and its name is the last to hear of it.
    await leads(first);
    await second.kill();
    points(NAMES.redis, [PLACES.redis[0]]);
    await serve();
    expect(gates.map((gate) => gate.log().match(/the gate is open/g)?.length)).toEqual([1, 1]);
  },
);
