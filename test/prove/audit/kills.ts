import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/redis-replication.ts';
import type { Callers } from '../../support/truth/callers.ts';
import type { AuditScene } from './scene.ts';

const RUN_MS = { least: 200, more: 700 } as const;
const AWAY_MS = 500;
const CALLS = 10;

/** However slow the machine is: an end before the first call says little. */
const isUnderLoad = ({ calls }: Callers) =>
  until('some calls are over', async () => calls.length >= CALLS);

/** @param isAwayAtTimes half of the ends come while Redis stands still: the spool is in use */
function killed(store: 'Redis' | 'embedded', isAwayAtTimes: boolean): AuditScene {
  const half = isAwayAtTimes ? ', half of them while Redis stands still' : '';
  return {
    name: `kill -9 under load, again and again${half}`,
    stores: [store],
    leaseMs: 3000,
    takesMetrics: true,
    async play(stage, random, runs) {
      for (let run = 0; run < runs; run += 1) {
        const gate = await stage.start('killed');
        const load = stage.load(gate);
        await isUnderLoad(load);
        await sleep(RUN_MS.least + random() * RUN_MS.more);
        const isAway = isAwayAtTimes && run % 2 === 1;
        if (isAway) stage.redis.pause();
        if (isAway) await sleep(random() * AWAY_MS);
        await stage.end(gate, 'SIGKILL');
        if (isAway) stage.redis.resume();
        await load.stop();
      }
    },
  };
}

function ended(name: string, signals: readonly NodeJS.Signals[], leaseMs: number): AuditScene {
  return {
    name,
    stores: ['Redis', 'embedded'],
    leaseMs,
    ...(signals.length > 1 ? { takesMetrics: true } : {}),
    async play(stage, random, runs) {
      for (let run = 0; run < Math.ceil(runs / 12); run += 1) {
        const gate = await stage.start('ended');
        const load = stage.load(gate);
        await isUnderLoad(load);
        await sleep(1000 + random() * 1000);
        await stage.end(gate, ...signals);
        await load.stop();
      }
    },
  };
}

export const scenes: readonly AuditScene[] = [
  killed('Redis', true),
  killed('embedded', false),
  ended('SIGTERM under load', ['SIGTERM'], 3000),
  ended('two SIGTERM under load', ['SIGTERM', 'SIGTERM'], 3000),
];
