import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisServer } from '../../support/redis-server.ts';
import type { AuditStage } from '../../support/truth/audit-stage.ts';
import type { GateProcess } from '../../support/truth/gates.ts';
import type { AuditScene } from './scene.ts';

const BEFORE_MS = 1500;
const STILL_MS = 1500;
const TAIL_MS = 700;
const AFTER_MS = 2000;

/** A primary that is about to die, what it accepts from then on, and who comes after it. */
interface Tail {
  readonly primary: RedisServer;
  promoted(): Promise<unknown>;
}

const LOSING = {
  Sentinels: async ({ sentinels }: AuditStage): Promise<Tail> => {
    const { primary, replica } = await sentinels.loseTail();
    return { primary, promoted: () => sentinels.promoted(replica) };
  },
  /** Of the gate's own stream. */
  Cluster: async (stage: AuditStage, gate: GateProcess): Promise<Tail> => {
    const { slot } = await stage.placeOf(gate);
    const { primary } = await stage.cluster.loseTail(slot);
    return { primary, promoted: () => stage.cluster.ownerOtherThan(slot, primary) };
  },
} as const;

/**
 * @param isFilled the primary has stood still before: its last moments are those in which it is
 * sent what waits in the spool
 */
function tailLost(store: keyof typeof LOSING, isFilled: boolean): AuditScene {
  const spool = isFilled ? ', while a spool is replayed to it' : '';
  return {
    name: `failover that loses the last ${TAIL_MS} ms that the primary had accepted${spool}`,
    stores: [store],
    takes: 'the store’s',
    async play(stage) {
      const gate = await stage.start('one');
      stage.load(gate);
      await sleep(BEFORE_MS);
      const { primary, promoted } = await LOSING[store](stage, gate);
      if (isFilled) {
        // For less time than after which somebody else takes over.
        primary.pause();
        await sleep(STILL_MS);
        primary.resume();
      }
      await sleep(TAIL_MS);
      await primary.kill();
      await promoted();
      await sleep(AFTER_MS);
    },
  };
}

export const scenes: readonly AuditScene[] = [
  tailLost('Sentinels', false),
  tailLost('Sentinels', true),
  tailLost('Cluster', false),
  tailLost('Cluster', true),
];
