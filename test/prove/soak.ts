/**
 * `npm run prove -- soak [MINUTES]` (default 10): two gates on one Redis behind HAProxy are called
 * all the time, while configurations and certificates change and Redis is killed and started again;
 * during the first 40 % of the time, the gates are restarted in turn, too. No call may fail, each
 * must be on record, and from five minutes on the memory of the gates must not grow. Result:
 * docs/RELIABILITY.md and docs/soak.svg.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { changeCertificate, reload, restartGates, restartRedis } from '../support/soak/disturb.ts';
import { memoryGraph } from '../support/soak/graph.ts';
import { callThroughout, type SoakLoad } from '../support/soak/load.ts';
import { coursesOf, type MemoryCourse, type Sample, sampleMemory } from '../support/soak/memory.ts';
import { type SoakStage, setSoakStage } from '../support/soak/stage.ts';
import { have } from '../support/system.ts';
import { Version } from '../support/version.ts';

const DOCUMENT = new URL('../../docs/RELIABILITY.md', import.meta.url);
const GRAPH = new URL('../../docs/soak.svg', import.meta.url);
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const [BEGIN, END] = ['<!-- soak: begin -->', '<!-- soak: end -->'];
const PAUSE_MS = 4000;
/** Of the time, in which gates are restarted. */
const RESTARTING = 0.4;
/** What a process may grow by from the second third of its time to the last. */
const GROWTH = { share: 1.1, mib: 8 } as const;
const JUDGED_FROM_MINUTES = 5;

interface Outcome {
  readonly load: SoakLoad;
  readonly forwarded: number;
  readonly samples: readonly Sample[];
  readonly done: Readonly<Record<'reloads' | 'certificates' | 'redis' | 'gates', number>>;
  readonly codes: readonly (number | null)[];
  readonly verified: { readonly gaps: number; readonly edits: number };
}

async function soak(stage: SoakStage, minutes: number): Promise<Outcome> {
  const over = new AbortController();
  const load = callThroughout(stage, over.signal);
  const samples = sampleMemory(stage, over.signal);
  const done = { reloads: 0, certificates: 0, redis: 0, gates: 0 };
  const codes: (number | null)[] = [];
  const beganMs = performance.now();
  const share = () => (performance.now() - beganMs) / (minutes * 60_000);
  try {
    while (share() < 1) {
      done.reloads += 1;
      await reload(stage, done.reloads);
      await sleep(PAUSE_MS);
      await changeCertificate(stage);
      done.certificates += 1;
      await sleep(PAUSE_MS);
      await restartRedis(stage);
      done.redis += 1;
      await sleep(PAUSE_MS);
      if (share() > RESTARTING && done.gates > 0) continue;
      codes.push(...(await restartGates(stage)));
      done.gates += stage.gates.length;
      await sleep(PAUSE_MS);
    }
  } finally {
    over.abort();
    await Promise.all([load, samples]);
  }
  codes.push(...(await stage.close()));
  const words = ['audit', 'verify', '--config', stage.gates[0]!.file];
  const verified = await new Version(MAIN).json<Outcome['verified']>(...words);
  const [calls, memory] = [await load, await samples];
  return { load: calls, forwarded: stage.forwarded(), samples: memory, done, codes, verified };
}

function isFlat({ resident, heap }: MemoryCourse): boolean {
  return [resident, heap].every(([before, after]) => after <= before * GROWTH.share + GROWTH.mib);
}

function told(outcome: Outcome, minutes: number): { kept: boolean; rows: readonly string[] } {
  const { load, forwarded, done, codes, verified } = outcome;
  const courses = coursesOf(outcome.samples);
  const isJudged = minutes >= JUDGED_FROM_MINUTES;
  const kept =
    load.failures === 0 &&
    forwarded === load.calls &&
    codes.every((code) => code === 0) &&
    verified.gaps + verified.edits === 0 &&
    (!isJudged || courses.every(isFlat));
  const mib = (values: readonly number[]) => values.map((value) => value.toFixed(0)).join(' → ');
  const memory = courses.map(
    ({ gate, seconds, resident, heap }) =>
      `gate ${gate}: ${mib(resident)} MiB resident, ${mib(heap)} MiB of heap at least, in ${seconds.toFixed(0)} s`,
  );
  const day = new Date().toISOString().slice(0, 10);
  const rows = [
    [
      'calls that failed',
      `${load.failures} of ${load.calls}, a quarter of them POST, in ${minutes} min`,
    ],
    [
      'calls that the service has seen',
      `${forwarded}, ${forwarded === load.calls ? 'as many' : '**not as many**'}`,
    ],
    ['reloads', `${done.reloads}, each with a route that both gates then served`],
    ['new certificates', `${done.certificates}, each then shown by both gates`],
    ['restarts of Redis', `${done.redis} by SIGKILL, away for 3 s each`],
    [
      'restarts of a gate',
      `${done.gates} by SIGTERM, exit codes ${[...new Set(codes)].join(', ')}`,
    ],
    ['`audit verify` afterwards', `${verified.gaps} gaps, ${verified.edits} edits`],
    [
      'memory, second third → last third',
      `${memory.join('; ')}${isJudged ? '' : ' (too short to be judged)'}`,
    ],
    ['when', `${day}, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}`],
  ].map(([what, found]) => `| ${what} | ${found} |`);
  return { kept, rows };
}

function write(rows: readonly string[], samples: readonly Sample[]): void {
  const text = readFileSync(DOCUMENT, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`${DOCUMENT.pathname} has lost its ${BEGIN}`);
  const table = ['| what | found |', '| --- | --- |', ...rows].join('\n');
  writeFileSync(DOCUMENT, `${text.slice(0, begin)}${BEGIN}\n${table}\n${text.slice(end)}`);
  writeFileSync(GRAPH, memoryGraph(samples));
}

const minutes = Number(process.argv[2] ?? 10);
const missing = (['redis-server', 'haproxy'] as const).filter((part) => !have(part));
if (!(minutes > 0)) {
  console.error('usage: npm run prove -- soak [MINUTES]');
  process.exitCode = 2;
} else if (missing.length > 0) console.log(`skipped: not installed: ${missing.join(', ')}`);
else {
  const stage = await setSoakStage();
  try {
    const outcome = await soak(stage, minutes);
    for (const line of outcome.load.failed) console.log(line);
    const { kept, rows } = told(outcome, minutes);
    console.log(rows.join('\n'));
    write(rows, outcome.samples);
    if (!kept) process.exitCode = 1;
  } finally {
    await stage.stop();
  }
}
