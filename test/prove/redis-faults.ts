/**
 * `npm run prove -- redis-faults [RUNS]`: plays every way in which Redis can fail with a gate under
 * load, and writes what it cost into docs/RELIABILITY.md. A wrong answer (a revoked or unknown
 * token let in, a token that counts called unknown) ends it with exit code 1.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { FaultReport, Toll } from '../support/fault-load.ts';
import * as scenes from '../support/fault-scenes.ts';
import { redisMissing } from '../support/redis-server.ts';

const DOCUMENT = new URL('../../docs/RELIABILITY.md', import.meta.url);
const BEGIN = '<!-- redis-faults: begin -->';
const END = '<!-- redis-faults: end -->';

const FAULTS: readonly (readonly [name: string, scene: scenes.FaultScene])[] = [
  ['one server: frozen for 1 s (SIGSTOP)', scenes.frozen(1_000)],
  ['one server: frozen for 10 s, as long as the lease', scenes.frozen(10_000)],
  ['one server: frozen for 60 s', scenes.frozen(60_000)],
  ['one server: kill -9, started again after 1 s', scenes.killed],
  ['one server: nothing gets from the gate to it for 20 s', scenes.cutOff('there', 20_000)],
  ['one server: nothing gets from it to the gate for 20 s', scenes.cutOff('back', 20_000)],
  ['one server: FLUSHALL, a backup from before brought back after 5 s', scenes.flushed],
  ['one server: full with `allkeys-lru`, a backup brought back after 5 s', scenes.evicted],
  ['sentinels: primary and replica swapped', scenes.sentinelFailover],
  ['sentinels: primary killed', scenes.sentinelPrimaryKilled],
  [
    'sentinels: primary killed after half a second that no replica has seen',
    scenes.sentinelTailLost,
  ],
  ['cluster: replica takes over from its living primary', scenes.clusterFailover],
  ['cluster: primary of the registry killed', scenes.clusterPrimaryKilled],
  ['cluster: slot of the registry moves to another primary', scenes.clusterReshard],
];

const runs = Number(process.argv[2] ?? 3);
async function main(): Promise<void> {
  const rows: string[][] = [];
  const wrong: string[] = [];
  for (const [name, scene] of FAULTS) {
    const reports: FaultReport[] = [];
    for (let run = 0; run < runs; run += 1) reports.push(await scene());
    wrong.push(...reports.flatMap((report) => report.wrong.map((one) => `${name}: ${one}`)));
    rows.push([name, ...cellsOf(reports)]);
    console.log(rows.at(-1)?.join(' | '));
  }
  const text = [head(), table(rows)].join('\n\n');
  console.log(`\n${text}`);
  writeIn(text);
  for (const one of wrong) console.error(`WRONG: ${one}`);
  if (wrong.length > 0) process.exitCode = 1;
}

/** The worst of all runs, but for counts, which are of all runs together. */
function cellsOf(reports: readonly FaultReport[]): readonly string[] {
  const sum = (of: (report: FaultReport) => number) =>
    reports.reduce((total, report) => total + of(report), 0);
  const worst = (of: (report: FaultReport) => number) => Math.max(...reports.map(of));
  const failed = (toll: (report: FaultReport) => Toll) =>
    `${sum((one) => toll(one).failed)} of ${sum((one) => toll(one).calls)}`;
  return [
    failed(({ known }) => known),
    failed(({ recorded }) => recorded),
    failed(({ unmet }) => unmet),
    String(
      worst(({ known, recorded, unmet }) =>
        Math.max(known.recoveryMs, recorded.recoveryMs, unmet.recoveryMs),
      ),
    ),
    String(worst(({ known }) => known.p99Ms)),
    String(worst(({ known }) => known.maxMs)),
    `${sum((one) => one.revoked)} (${sum((one) => one.changesFailed)} failed)`,
    String(sum((one) => one.wrong.length)),
  ];
}

const HEADINGS = [
  'fault',
  'failed, known account',
  'failed, recorded call',
  'failed, first call of an account',
  'recovery ms',
  'p99 ms',
  'max ms',
  'revocations in force meanwhile',
  'wrong answers',
];

function table(rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(HEADINGS), line(HEADINGS.map(() => '---')), ...rows.map(line)].join('\n');
}

function head(): string {
  const day = new Date().toISOString().slice(0, 10);
  return `\`npm run prove -- redis-faults ${runs}\`, ${day}: ${runs} runs of each, ${cpus().length} cores, Node ${process.versions.node}, \`leaseMs: 10000\`, no spool.`;
}

function writeIn(text: string): void {
  const before = readFileSync(DOCUMENT, 'utf8');
  const [begin, end] = [before.indexOf(BEGIN), before.indexOf(END)];
  if (begin === -1 || end < begin)
    throw new Error(`docs/RELIABILITY.md has lost its marks ${BEGIN} and ${END}`);
  writeFileSync(
    DOCUMENT,
    `${before.slice(0, begin + BEGIN.length)}\n${text}\n${before.slice(end)}`,
  );
}

const missing = redisMissing();
if (missing !== null) {
  console.log(`skipped: ${missing}`);
} else {
  await main();
}
