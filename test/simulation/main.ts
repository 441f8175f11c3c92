/**
 * Runs seeds of the simulation: `node test/simulation/main.ts --from 0 --count 1000 [--mode loss]
 * [--mutant fence] [--verbose]`. `SEED=7` runs one, with its story. The last line is a JSON
 * summary. Exit code 1 when a promise was broken.
 */
import { parseArgs } from 'node:util';
import { mutate } from './mutants.ts';
import type { Mode, Outcome } from './run-seed.ts';

const { values } = parseArgs({
  options: {
    from: { type: 'string', default: '0' },
    count: { type: 'string', default: '100' },
    mode: { type: 'string' },
    mutant: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});

// Before anything that it changes is loaded.
if (values.mutant !== undefined) mutate(values.mutant);
const { runSeed } = await import('./run-seed.ts');

const one = process.env.SEED === undefined ? null : Number(process.env.SEED);
const from = one ?? Number(values.from);
const end = one === null ? from + Number(values.count) : from + 1;
const total = {
  seeds: 0,
  accepted: 0,
  streamed: 0,
  refused: 0,
  unavailable: 0,
  effective: 0,
  uncertain: 0,
  failovers: 0,
};
let broken: Outcome | null = null;
for (let seed = from; seed < end && broken === null; seed += 1) {
  const options = {
    verbose: values.verbose || one !== null,
    ...(values.mode === undefined ? {} : { mode: values.mode as Mode }),
  };
  const outcome = await runSeed(seed, options);
  total.seeds += 1;
  for (const key of [
    'accepted',
    'streamed',
    'refused',
    'unavailable',
    'effective',
    'uncertain',
    'failovers',
  ] as const)
    total[key] += outcome[key];
  for (const line of outcome.log) console.log(line);
  if (outcome.violation !== null) broken = outcome;
}
const violation =
  broken === null ? null : { seed: broken.seed, mode: broken.mode, violation: broken.violation };
console.log(JSON.stringify({ ...total, violation }));
process.exitCode = violation === null ? 0 : 1;
