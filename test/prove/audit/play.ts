import { AuditStage, type Proven } from '../../support/truth/audit-stage.ts';
import type { AuditVerdict, Counted } from '../../support/truth/audit-verdict.ts';
import type { Setting } from './settings.ts';

interface Plan {
  /** How often instances are killed, in each setting. */
  readonly kills: number;
  /** Calls per second. */
  readonly rate: number;
  readonly seed: number;
}

interface Played {
  readonly proven: Proven;
  /** Promises that were not kept, as sentences. */
  readonly faults: readonly string[];
}

/** Plays one scene and judges what four witnesses say of it, and what the log proves. */
export async function playSetting(setting: Setting, plan: Plan): Promise<Played> {
  const { scene, store, durability } = setting;
  const { leaseMs = 120_000, audit, workers, losesEnds } = scene;
  const { rate, seed, kills } = plan;
  const stage = await AuditStage.open({
    store,
    durability,
    rate,
    leaseMs,
    ...(audit && { audit }),
    ...(workers && { workers }),
    ...(losesEnds && { losesEnds }),
  });
  try {
    await scene.play(stage, randomOf(seed), kills);
    const proven = await stage.finish();
    const faults = [...faultsOf(setting, proven.verdict, stage.counted), ...proven.faults];
    return { proven, faults };
  } finally {
    await stage.stop();
  }
}

/** What the durability promises in this scene, and was not so. */
function faultsOf(
  { scene, durability }: Pick<Setting, 'scene' | 'durability'>,
  verdict: AuditVerdict,
  counted: Counted,
): readonly string[] {
  const { lost, unrecorded, withoutRecord, duplicated, open, contradictions } = verdict;
  const mayLose =
    scene.takes === 'both' || (scene.takes === 'the store’s' && durability === 'store');
  const faults = [...duplicated, ...contradictions];
  if (verdict.answered === 0) faults.push('no call was answered');
  if (!mayLose && lost > 0) faults.push(`${lost} events are lost`);
  if (mayLose) {
    if (!scene.losesEnds && withoutRecord.length > lost)
      faults.push(`${withoutRecord.length} answers without a record, ${lost} events lost`);
    if (open.length > lost) faults.push(`${open.length} permits are open, ${lost} events lost`);
  } else {
    faults.push(...withoutRecord, ...open.map((id) => `${id}: a permit without an outcome`));
  }
  if (scene.takesMetrics) return faults;
  if (counted.lost !== lost) faults.push(`${lost} events are lost, ${counted.lost} were counted`);
  if (counted.unrecorded !== unrecorded)
    faults.push(`${unrecorded} answers say that no record is made, ${counted.unrecorded} counted`);
  return faults;
}

/** A number from 0 up to 1, the same ones for a seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
