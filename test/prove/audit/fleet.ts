import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditScene } from './scene.ts';

const INSTANCES = 20;
const TOGETHER = 4;
const KILLED = 3;

/**
 * Twenty instances on one store, which stands still once; three of them are killed meanwhile, and
 * started again afterwards: each has a folder of its own.
 */
const twenty: AuditScene = {
  name: `${INSTANCES} instances on one store, which stands still for 3 s; ${KILLED} end by kill -9`,
  stores: ['Redis'],
  leaseMs: 10_000,
  takesMetrics: true,
  async play(stage, random) {
    const gates: Awaited<ReturnType<typeof stage.start>>[] = [];
    for (let first = 0; first < INSTANCES; first += TOGETHER) {
      const names = Array.from({ length: TOGETHER }, (_, n) => `gate-${first + n}`);
      gates.push(...(await Promise.all(names.map((name) => stage.start(name)))));
    }
    for (const gate of gates) stage.load(gate, stage.options.rate / INSTANCES, 2);
    await sleep(3000);
    stage.redis.pause();
    await sleep(1500);
    const killed: string[] = [];
    for (let time = 0; time < KILLED; time += 1) {
      const [gate] = gates.splice(Math.floor(random() * gates.length), 1);
      if (gate === undefined) continue;
      await stage.end(gate, 'SIGKILL');
      killed.push(gate.instance.replace(/-[0-9a-f]+$/, ''));
    }
    await sleep(1500);
    stage.redis.resume();
    for (const name of killed) stage.load(await stage.start(name), 1, 2);
    await sleep(3000);
  },
};

export const scenes: readonly AuditScene[] = [twenty];
