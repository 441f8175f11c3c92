import { expect, it } from 'vitest';
import { connectRedis } from '../../../src/store/redis.ts';
import { redisMissing, startRedis } from '../../support/redis-server.ts';

const missing = redisMissing();

/** What a process would still wait for. */
const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

it('leaves nothing that a process would wait for, also when it is closed twice', async (context) => {
  if (missing !== null) context.skip(missing);
  const server = await startRedis();
  try {
    const connection = connectRedis({
      url: server.url,
      username: null,
      password: null,
      name: 'closing',
      commandTimeoutMs: 1_000,
      tls: null,
    });
    await connection.call('PING');
    const blocking = connection.forBlocking('closing-feed', 1_000);
    await blocking.ready(5_000);
    blocking.close();
    connection.close();
    // The sockets' own ends come first.
    await expect
      .poll(() => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap'))
      .toEqual([]);
    const before = timers();
    blocking.close();
    connection.close();
    expect(timers()).toBeLessThanOrEqual(before);
  } finally {
    await server.stop();
  }
});
