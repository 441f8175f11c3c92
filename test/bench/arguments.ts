import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  ASKED,
  BESIDE,
  DECISION_TARGETS,
  EXTRA_LOADS,
  EXTRA_TARGETS,
  type ExtraLoadName,
  LOADS,
  type LoadName,
  QUICK_LOADS,
  QUICK_TARGETS,
  TARGETS,
  type TargetName,
  VARIANTS,
} from './names.ts';

/** What is to be done. */
export interface Plan {
  readonly loads: readonly LoadName[];
  readonly extraLoads: readonly ExtraLoadName[];
  readonly targets: readonly TargetName[];
  /** Targets of the extra loads. */
  readonly extraTargets: readonly TargetName[];
  /** Of the load `decision`. */
  readonly decisionTargets: readonly TargetName[];
  readonly rounds: number;
  /** How long one round is measured. */
  readonly windowMs: number;
  /** How long one round at the steady rate is measured: fewer requests, so longer. */
  readonly steadyMs: number;
  /** How long latency is measured. */
  readonly latencyMs: number;
  /** How long a target is run warm at most. */
  readonly warmUpMs: number;
  readonly json: boolean;
  /** Whether docs/PERFORMANCE.md gets the table. */
  readonly write: boolean;
  /** Folder of another checkout of this project, as an absolute path. */
  readonly beside: string | null;
}

const NAMED_ONLY: readonly TargetName[] = [...VARIANTS, ...ASKED];
const ALL_TARGETS = TARGETS.filter((name) => !NAMED_ONLY.includes(name));

export const USAGE = `usage: npm run bench -- [--quick] [--only NAME[,NAME…]] [--rounds N] [--json] [--write] [--beside DIR]

  --quick   six loads, the two Sallyport targets and the five nginx ones, 3 short rounds: some 10 minutes
  --only    loads and targets by name; those not named are left out (repeatable)
  --rounds  rounds of each load on each target; the median counts (default 5, quick 3)
  --json    prints an array of results (test/bench/result.ts) and nothing else
  --beside  measures another checkout of this project in turn with this one, as sallyport-beside
  --write   puts the table into docs/PERFORMANCE.md

loads:            ${LOADS.join(' ')}
only when named:  ${EXTRA_LOADS.join(' ')}
targets:          ${ALL_TARGETS.join(' ')}
only when named:  ${NAMED_ONLY.join(' ')}`;

/**
 * Null when help was asked for. Throws an `Error` with a line for the user when the words make no
 * sense.
 */
export function planOf(words: readonly string[]): Plan | null {
  const { values } = parseArgs({
    args: [...words],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string' },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      beside: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return null;
  const { quick } = values;
  const only = values.only.flatMap((word) => word.split(',')).filter((word) => word !== '');
  const known: readonly string[] = [...LOADS, ...EXTRA_LOADS, ...TARGETS];
  const unknown = only.find((word) => !known.includes(word));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there is no such load or target`);
  const rounds = Number(values.rounds ?? (quick ? 3 : 5));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100)
    throw new Error('--rounds: expected a number from 1 to 100');
  const beside = values.beside === undefined ? null : resolve(values.beside);
  const withBeside = (targets: readonly TargetName[]) =>
    TARGETS.filter((name) => (name === BESIDE ? beside !== null : targets.includes(name)));
  const namedExtras = chosen(EXTRA_LOADS, only);
  const namedLoads = chosen(LOADS, only);
  const namedTargets = chosen(TARGETS, only);
  return {
    loads:
      namedLoads.length > 0 || namedExtras.length > 0 ? namedLoads : quick ? QUICK_LOADS : LOADS,
    extraLoads: namedExtras,
    targets: withBeside(
      namedTargets.length > 0 ? namedTargets : quick ? QUICK_TARGETS : ALL_TARGETS,
    ),
    extraTargets: withBeside(namedTargets.length > 0 ? namedTargets : EXTRA_TARGETS),
    decisionTargets: namedTargets.length > 0 ? namedTargets : DECISION_TARGETS,
    rounds,
    windowMs: quick ? 900 : 4000,
    steadyMs: quick ? 2500 : 5000,
    latencyMs: quick ? 1300 : 8000,
    warmUpMs: quick ? 8000 : 20_000,
    json: values.json,
    write: values.write,
    beside,
  };
}

function chosen<Name extends string>(
  names: readonly Name[],
  only: readonly string[],
): readonly Name[] {
  return names.filter((name) => only.includes(name));
}
