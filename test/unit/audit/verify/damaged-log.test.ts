import { expect, it } from 'vitest';
import type { Finding } from '../../../../src/audit/verify/finding.ts';
import { Verifier } from '../../../../src/audit/verify/verifier.ts';
import { DAMAGES, type Expected, makeLog, type TestLog } from './damage.ts';
import { seeded } from './random.ts';

/** As many logs as this are damaged; `SALLYPORT_DAMAGES` says another number. */
const RUNS = Number(process.env.SALLYPORT_DAMAGES ?? 96);

function verify(log: TestLog): Finding[] {
  const findings: Finding[] = [];
  const found = (finding: Finding) => findings.push(finding);
  const verifier = new Verifier({
    beside: log.beside,
    trust: null,
    whole: true,
    anchored: true,
    found,
  });
  for (const line of log.lines) verifier.add(line);
  verifier.end();
  return findings;
}

function names({ kinds, instance, seq }: Expected) {
  return (finding: Finding) =>
    kinds.includes(finding.kind) &&
    (instance === null || finding.instance === instance) &&
    (seq === null || (finding.firstSeq! <= seq && seq <= finding.lastSeq!));
}

it('finds nothing in a log that nobody has damaged, but for what it says it has lost', () => {
  for (let seed = 1; seed <= RUNS / 4; seed += 1) {
    const findings = verify(makeLog(seeded(seed)));
    expect(findings.filter(({ kind }) => kind !== 'lost')).toEqual([]);
  }
});

it.each(DAMAGES)('finds and names: $name', ({ to }) => {
  for (let seed = 1; seed <= Math.ceil(RUNS / DAMAGES.length); seed += 1) {
    const random = seeded(seed);
    let log = makeLog(random);
    let expected = to(log, random);
    while (expected === null) {
      log = makeLog(random);
      expected = to(log, random);
    }
    const findings = verify(log);
    const told = findings.map(({ message, kind }) => `${kind}: ${message}`);
    const shown = `seed ${seed}: ${JSON.stringify({ expected, told }, null, 1)}`;
    expect(findings.some(names(expected)), shown).toBe(true);
  }
});
