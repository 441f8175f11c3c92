import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditStage } from '../../support/truth/audit-stage.ts';
import { RawRedis } from '../../support/truth/raw-record.ts';
import type { AuditScene } from './scene.ts';

const BEFORE_MS = 1500;
const AFTER_MS = 2000;

/** A gate under load, and one fault of its Redis. */
function fault(
  name: string,
  play: (stage: AuditStage) => Promise<unknown>,
  more: Partial<AuditScene> = {},
): AuditScene {
  return {
    name,
    stores: ['Redis'],
    ...more,
    async play(stage) {
      const gate = await stage.start('one');
      stage.load(gate);
      await sleep(BEFORE_MS);
      await play(stage);
      await sleep(AFTER_MS);
    },
  };
}

const frozen = (seconds: number) =>
  fault(`Redis stands still for ${seconds} s (SIGSTOP)`, async ({ redis }) => {
    redis.pause();
    await sleep(1000 * seconds);
    redis.resume();
  });

async function tell({ redis }: AuditStage, ...commands: readonly (readonly string[])[]) {
  const root = await RawRedis.open(redis.port);
  try {
    for (const words of commands) await root.call(...words);
  } finally {
    root.close();
  }
}

const killed = fault('Redis: kill -9, started again after 2 s', async ({ redis }) => {
  await redis.kill();
  await sleep(2000);
  await redis.restart();
});

const full = fault('Redis takes nothing for 3 s: OOM', async (stage) => {
  await tell(stage, ['CONFIG', 'SET', 'maxmemory', '1mb']);
  await sleep(3000);
  await tell(stage, ['CONFIG', 'SET', 'maxmemory', '0']);
});

const readOnly = fault('Redis takes nothing for 3 s: READONLY', async (stage) => {
  await tell(stage, ['REPLICAOF', '127.0.0.1', '1']);
  await sleep(3000);
  await tell(stage, ['REPLICAOF', 'NO', 'ONE']);
});

/** Every key of the record, the registry's stay. */
const emptied = fault(
  'the keys of the record are deleted',
  async (stage) => {
    const script =
      "for _, key in ipairs(redis.call('KEYS', '*:audit:*')) do redis.call('DEL', key) end";
    await tell(stage, ['EVAL', script, '0']);
  },
  { takes: 'both' },
);

export const scenes: readonly AuditScene[] = [
  ...[0.5, 2, 10, 60].map(frozen),
  killed,
  full,
  readOnly,
  emptied,
];
