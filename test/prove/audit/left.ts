import {
  appendFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditStage } from '../../support/truth/audit-stage.ts';
import type { AuditScene } from './scene.ts';

const BEFORE_MS = 1500;
const AWAY_MS = 2000;
const AFTER_MS = 2000;

/** An instance is killed while its spool is in use; `next` says who finds what it left, and how. */
function left(
  name: string,
  next: (stage: AuditStage) => string,
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
      await sleep(AWAY_MS);
      await stage.end(gate, 'SIGKILL');
      await load.stop();
      const heir = next(stage);
      stage.redis.resume();
      stage.load(await stage.start(heir));
      await sleep(AFTER_MS);
    },
  };
}

/** The same name finds its folder, of which the newest file is not as it was. */
function damaged(name: string, damage: (segment: string) => void, more?: Partial<AuditScene>) {
  const next = (stage: AuditStage) => {
    for (const segment of newestSegments(stage.dataDir('one'))) damage(segment);
    return 'one';
  };
  return left(name, next, more);
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

const torn = damaged('kill -9 while the spool is written; its last record is torn', (segment) =>
  appendFileSync(segment, readFileSync(segment).subarray(0, 60)),
);

const cut = damaged(
  'kill -9 while the spool is written; its disk loses the last 3,000 bytes',
  (segment) => truncateSync(segment, Math.max(0, statSync(segment).size - 3000)),
  { takes: 'both', losesEnds: true },
);

const elsewhere = left(
  'kill -9 while the spool is written; another machine gets the folder',
  (stage) => {
    const [old, own] = [stage.dataDir('one'), stage.dataDir('two')];
    cpSync(old, own, { recursive: true, preserveTimestamps: true });
    rmSync(old, { recursive: true });
    return 'two';
  },
);

/** Two workers have one folder; each of them ends in its turn, once while Redis stands still. */
const workers: AuditScene = {
  name: 'two workers on one folder, each ends by kill -9, one while Redis stands still',
  stores: ['Redis'],
  leaseMs: 10_000,
  takesMetrics: true,
  workers: 2,
  async play(stage) {
    const gate = await stage.start('one');
    stage.load(gate);
    await sleep(BEFORE_MS);
    stage.killWorker(gate, 0);
    await sleep(AWAY_MS);
    stage.redis.pause();
    await sleep(AWAY_MS);
    stage.killWorker(gate, 1);
    await sleep(AWAY_MS / 4);
    stage.redis.resume();
    await sleep(4 * AFTER_MS);
  },
};

export const scenes: readonly AuditScene[] = [torn, cut, elsewhere, workers];
