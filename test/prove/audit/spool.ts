import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditStage } from '../../support/truth/audit-stage.ts';
import type { AuditScene } from './scene.ts';

const BEFORE_MS = 1500;
const AWAY_MS = 4000;
const AFTER_MS = 2000;
const LUMP = Buffer.alloc(64 * 1024);

/** A gate whose data lie in a file system of memory, under load. */
function onDisk(
  name: string,
  play: (stage: AuditStage, folder: string) => Promise<unknown>,
  more: Partial<AuditScene> = {},
): AuditScene {
  return {
    name,
    stores: ['Redis'],
    ...more,
    async play(stage) {
      const folder = stage.dataDir('one');
      stage.mount(folder, 'size=16m');
      stage.load(await stage.start('one'));
      await sleep(BEFORE_MS);
      await play(stage, folder);
      await sleep(AFTER_MS);
    },
  };
}

/** @returns what makes room again */
function fill(folder: string): () => void {
  const path = join(folder, 'filler');
  const file = openSync(path, 'w');
  try {
    for (;;) writeSync(file, LUMP);
  } catch {
    closeSync(file);
    return () => rmSync(path);
  }
}

async function whileRedisIsAway(stage: AuditStage, work: () => Promise<unknown>): Promise<void> {
  stage.redis.pause();
  await work();
  stage.redis.resume();
}

const full = onDisk('the disk of the spool is full for 4 s', async (_stage, folder) => {
  const empty = fill(folder);
  await sleep(AWAY_MS);
  empty();
});

const fullWhileAway = onDisk(
  'the disk of the spool is full, and Redis stands still, for 4 s',
  (stage, folder) =>
    whileRedisIsAway(stage, async () => {
      const empty = fill(folder);
      await sleep(AWAY_MS);
      empty();
    }),
);

/** What is open stays open: no new file can be made, as on a file system that went read-only. */
const readOnly = onDisk(
  'the folder of the spool is read-only, and Redis stands still, for 4 s',
  (stage, folder) =>
    whileRedisIsAway(stage, async () => {
      const gone = stage.mount(join(folder, 'spool'), 'ro');
      await sleep(AWAY_MS);
      gone();
    }),
);

const small: AuditScene = {
  ...onDisk('the spool reaches its bound while Redis stands still for 8 s', (stage) =>
    whileRedisIsAway(stage, () => sleep(2 * AWAY_MS)),
  ),
  audit: { spool: { maxBytes: 1_048_576 } },
};

/** What waits there is gone with the folder; what comes next has neither of the two. */
const bothGone = onDisk(
  'Redis is killed with kill -9 and the folder of the spool is removed, for 4 s',
  async (stage, folder) => {
    await stage.redis.kill();
    await sleep(AWAY_MS / 4);
    rmSync(join(folder, 'spool'), { recursive: true });
    await sleep(AWAY_MS);
    await stage.redis.restart();
  },
  { takes: 'both' },
);

export const scenes: readonly AuditScene[] = [full, fullWhileAway, readOnly, small, bothGone];
