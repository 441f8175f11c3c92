import { onTestFinished } from 'vitest';
import { Deadlines } from '../../src/deadlines.ts';
import { systemNames } from '../../src/names/system.ts';
import { DescriptorBudget } from '../../src/upstream/descriptors.ts';
import { PlaceStates } from '../../src/upstream/place-states.ts';
import { UpstreamPool } from '../../src/upstream/pool.ts';
import type { PoolOptions } from '../../src/upstream/pool-options.ts';
import type { ResponseReceiver, UpstreamFailure } from '../../src/upstream/port.ts';
import { outgoing } from '../support/outgoing.ts';

export interface TestPool {
  readonly pool: UpstreamPool;
  /** `ejected 127.0.0.1:1 why`, in order. */
  readonly changes: readonly string[];
  /** One exchange: the status, or how it failed. */
  call(): Promise<number | UpstreamFailure['kind'] | 'full'>;
  /** For each address, whether it is used. */
  usable(): readonly boolean[];
}

/** A pool over real sockets, closed after the test. */
export function openPool(ports: readonly number[], options: Partial<PoolOptions> = {}): TestPool {
  const deadlines = new Deadlines();
  const changes: string[] = [];
  const pool = new UpstreamPool(
    {
      addresses: ports.map((port) => ({ host: '127.0.0.1', port })),
      tls: null,
      protocol: 'http1',
      maxConnections: 100,
      maxConnectionAgeMs: 3_600_000,
      names: systemNames,
      places: new PlaceStates(deadlines),
      budget: new DescriptorBudget(
        () => Number.POSITIVE_INFINITY,
        () => {},
      ),
      moved: () => {},
      connectTimeoutMs: 2000,
      responseTimeoutMs: 5000,
      streamIdleTimeoutMs: 5000,
      ejection: { afterFailures: 5, baseMs: 60_000, maxMs: 60_000, countServerErrors: false },
      healthCheck: null,
      checkHost: ({ port }) => `check.test:${port}`,
      healthChanged: ({ port }, change, why) =>
        void changes.push(`${change} ${ports.indexOf(port)} ${why}`),
      ...options,
    },
    deadlines,
  );
  onTestFinished(() => {
    pool.close();
    deadlines.close();
  });
  pool.startChecks();
  return {
    pool,
    changes,
    usable: () => pool.states().map((state) => state.usable),
    call: () => call(pool),
  };
}

function call(pool: UpstreamPool): Promise<number | UpstreamFailure['kind'] | 'full'> {
  const connection = pool.take(true);
  if (connection === null) return Promise.resolve('full');
  return new Promise((resolve, reject) => {
    let status = 0;
    const receiver: ResponseReceiver = {
      onConnected: () => {},
      onInterim: () => {},
      onHead: (head) => {
        status = head.status;
      },
      onBody: () => {},
      onEnd: () => resolve(status),
      onFailure: ({ kind }) => resolve(kind),
      onFault: reject,
      flush: () => true,
      onDrain: () => {},
    };
    connection.begin(receiver, outgoing());
    connection.sendEnd();
  });
}
