import {
  appendFileSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
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

/** An instance is killed while its spool is in use, and `damage` is done to what it left. */
function left(
  name: string,
  damage: (segment: string) => void,
  more: Partial<AuditScene> = {},
): AuditScene {
  return {
    name,
    stores: ['Redis'],
    leaseMs: 10_000,
    takesMetrics: true,
    ...more,
    async play(stage) {
      const gate = await stage.start('one');
      const load = stage.load(gate);
      await sleep(BEFORE_MS);
      stage.redis.pause();
      await sleep(AWAY_MS / 2);
      await stage.end(gate, 'SIGKILL');
      await load.stop();
      for (const segment of newestSegments(stage.dataDir('one'))) damage(segment);
      stage.redis.resume();
      stage.load(await stage.start('one'));
      await sleep(AFTER_MS);
    },
  };
}

/** The last file of each instance's folder that holds anything. */
function newestSegments(dataDir: string): readonly string[] {
  const files = readdirSync(join(dataDir, 'spool'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /seg|spool|\d{6}/.test(entry.name))
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((path) => readFileSync(path).subarray(0, 4).toString() === 'SPL1')
    .sort();
  return files.slice(-1);
}

const torn = left('kill -9 while the spool is written; its last record is torn', (segment) =>
  appendFileSync(segment, readFileSync(segment).subarray(0, 60)),
);

const damaged = left(
  'kill -9 while the spool is written; its disk loses the last 3,000 bytes',
  (segment) => truncateSync(segment, Math.max(0, statSync(segment).size - 3000)),
  { takes: 'both' },
);

export const scenes: readonly AuditScene[] = [full, fullWhileAway, readOnly, small, torn, damaged];
