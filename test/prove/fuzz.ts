/**
 * `npm run prove -- fuzz [requests|responses] [--cases N] [--seconds S]`: random HTTP/1.1, whole
 * and broken, cut anywhere, read by our engine and by Node's parser (llhttp). Whatever ours
 * lets in, Node's must let in and read the same. Without more, ten million cases, half of each
 * kind.
 *
 * Each disagreement is printed with its seed and its bytes; `SEED=that npm run prove -- fuzz KIND
 * --cases 1` repeats it. `ENGINE=folder` reads with a changed copy of `src`.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type FuzzReport, fuzz, KINDS, type Kind } from '../fuzz/fuzz.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cases: { type: 'string', default: '10000000' },
    seconds: { type: 'string', default: 'Infinity' },
  },
});
const kinds = KINDS.filter((kind) => positionals.length === 0 || positionals.includes(kind));
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000_000);
const wire = process.env.ENGINE ?? join(import.meta.dirname, '..', '..', 'src');
const share = kinds.length;

for (const kind of kinds) {
  const limits = {
    cases: Math.ceil(Number(values.cases) / share),
    seconds: Number(values.seconds) / share,
  };
  show(kind, await fuzz({ kind, seed, wire, ...limits }));
}

function show(kind: Kind, { cases, seconds, accepted, failure }: FuzzReport): void {
  const counts = [...accepted].map(([what, count]) => `${what}: ${count}`).join('; ');
  console.log(
    `${kind}: ${cases} cases from SEED=${seed} in ${seconds.toFixed(1)} s; messages let in: ${counts}`,
  );
  if (failure === null) return;
  process.exitCode = 1;
  console.log(`SEED=${failure.seed} npm run prove -- fuzz ${kind} --cases 1`);
  console.log(`  ${failure.problem}`);
  console.log(`  ${JSON.stringify(failure.bytes.toString('latin1'))}`);
}
