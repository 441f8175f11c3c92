import type { Finding } from '../../../../src/audit/verify/finding.ts';
import { Verifier } from '../../../../src/audit/verify/verifier.ts';
import { type Damage, type Expected, makeLog, type TestLog } from './damage.ts';
import { seeded } from './random.ts';

export function verify(log: Pick<TestLog, 'lines' | 'beside'>): Finding[] {
  const findings: Finding[] = [];
  const found = (finding: Finding) => findings.push(finding);
  const verifier = new Verifier({
    beside: log.beside,
    trust: null,
    whole: true,
    sparse: false,
    goesOn: false,
    nowMs: () => Date.UTC(2030, 1, 1),
    found,
  });
  for (const head of log.beside.heads) verifier.expectHead(head, 'store');
  for (const line of log.lines) verifier.add(line);
  verifier.end();
  return findings;
}

/** What is found in the log of a seed that nobody has damaged, but for what it says it has lost. */
export function foundInSound(seed: number): Finding[] {
  return verify(makeLog(seeded(seed))).filter(({ kind }) => kind !== 'lost');
}

/** Does one damage to the log of a seed. Null: it was found, and named rightly. */
export function overlooked(seed: number, { to }: Damage): string | null {
  const random = seeded(seed);
  let log = makeLog(random);
  let expected = to(log, random);
  while (expected === null) {
    log = makeLog(random);
    expected = to(log, random);
  }
  const findings = verify(log);
  if (findings.some(names(expected))) return null;
  const told = findings.map(({ message, kind }) => `${kind}: ${message}`);
  return `seed ${seed}: ${JSON.stringify({ expected, told }, null, 1)}`;
}

function names({ kinds, instance, seq }: Expected) {
  return (finding: Finding) =>
    kinds.includes(finding.kind) &&
    (instance === null || finding.instance === instance) &&
    (seq === null || (finding.firstSeq! <= seq && seq <= finding.lastSeq!));
}
