/**
 * What one decision costs, in processor time: 1,000 callers of 100,000 cached accounts, the
 * requests of the benchmark's `mixed` loads, each head parsed anew. Told are the median with its
 * quartiles and the least (of each block of requests the fastest round, which others on the machine
 * disturb least). With another checkout of this project both take turns, and what is told is one
 * beside the other.
 *
 * Hot: one decision after another. Cold: between two of them much other code runs over much other
 * memory, as in a gate, only more of it.
 *
 *     npm run prove -- decide [DIR] [ROUNDS]
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { type Deciding, openDeciding, population } from '../bench/deciding.ts';
import { mixedRequests } from '../bench/mixed.ts';

/** The young heap of a gate (bin/sallyport). */
const YOUNG_HEAP = ['--min-semi-space-size=16', '--max-semi-space-size=16'];
if (!YOUNG_HEAP.every((flag) => process.execArgv.includes(flag))) {
  const words = [...YOUNG_HEAP, import.meta.filename, ...process.argv.slice(2)];
  process.exit(spawnSync(process.execPath, words, { stdio: 'inherit' }).status ?? 1);
}

const ACCOUNTS = 100_000;
const ROOT = join(import.meta.dirname, '../..');
const [beside, rounds = '20'] = process.argv.slice(2);
const ROUNDS = Number(rounds);
const WARM_UP = 5;
/** Few enough that the heads of a block stay where they were read to. */
const BLOCK = 50;
const COLD_DECISIONS = 4_000;
const OTHERS = 1_500;
const OTHERS_BETWEEN = 50;

const people = population(ACCOUNTS);
const heads = mixedRequests(people.callers, ({ token }) => `Bearer ${token}`, '127.0.0.1:8443').map(
  (text) => Buffer.from(text.slice(0, text.indexOf('\r\n\r\n') + 2), 'latin1'),
);
const folders = beside === undefined ? [ROOT] : [beside, ROOT];
const gates: Deciding[] = [];
for (const folder of folders) gates.push(await openDeciding(folder, people));

for (const bytes of heads.slice(0, 2_000))
  for (const gate of gates)
    if (!isPermitted(gate, gate.parse(bytes))) throw new Error('the request was refused');

tell('hot', hot());
tell('cold', cold());
for (const gate of gates) await gate.close();

function isPermitted(gate: Deciding, head: ReturnType<Deciding['parse']>): boolean {
  const decision = gate.decide(head);
  return !(decision instanceof Promise) && decision.permitted === true;
}

interface Cost {
  /** Microseconds for one decision, by round. */
  readonly rounds: number[];
  /** Null: nothing to be told of. */
  leastUs: number | null;
}

function hot(): Cost[] {
  const blocks = heads.length / BLOCK;
  const least = gates.map(() => new Float64Array(blocks).fill(Number.POSITIVE_INFINITY));
  const costs: Cost[] = gates.map(() => ({ rounds: [], leastUs: null }));
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    for (const [index, gate] of gates.entries()) {
      let us = 0;
      for (let block = 0; block < blocks; block += 1) {
        const took = blockUs(gate, block * BLOCK);
        us += took;
        if (round >= 0) least[index]![block] = Math.min(least[index]![block]!, took);
      }
      if (round >= 0) costs[index]!.rounds.push(us / heads.length);
    }
  }
  for (const [index, cost] of costs.entries())
    cost.leastUs = least[index]!.reduce((sum, us) => sum + us, 0) / heads.length;
  return costs;
}

function blockUs(gate: Deciding, from: number): number {
  const parsed = heads.slice(from, from + BLOCK).map((bytes) => gate.parse(bytes));
  const before = process.cpuUsage();
  for (const head of parsed) isPermitted(gate, head);
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** By the clock, as one decision is too short for the processor time: the median of all of them. */
function cold(): Cost[] {
  const walk = others();
  const costs: Cost[] = gates.map(() => ({ rounds: [], leastUs: null }));
  const turns = Array.from({ length: COLD_DECISIONS }, (_, n) => heads[(n * 7) % heads.length]!);
  for (const [turn, bytes] of turns.entries()) {
    for (let n = 0; n < gates.length; n += 1) {
      const index = (turn + n) % gates.length;
      const gate = gates[index]!;
      const head = gate.parse(bytes);
      walk();
      const fromMs = performance.now();
      isPermitted(gate, head);
      costs[index]!.rounds.push((performance.now() - fromMs) * 1_000);
    }
  }
  return costs;
}

/** Functions that are all different, over objects that lie all over the heap. */
function others(): () => void {
  const objects = Array.from({ length: 200_000 }, (_, n) => ({ n, text: `word ${n}`, to: { n } }));
  const functions = Array.from(
    { length: OTHERS },
    (_, n) =>
      new Function(
        'objects',
        'seed',
        `let x = seed + ${n};
         for (let i = 0; i < 6; i += 1) {
           const one = objects[((x * ${2_654_435_761 + 2 * n}) >>> 3) % objects.length];
           x = (x ^ one.n ^ ${n}) + one.text.charCodeAt(i) + one.to.n * ${n + 1};
         }
         return x | 0;`,
      ) as (objects: readonly object[], seed: number) => number,
  );
  let seed = 1;
  return () => {
    for (let n = 0; n < OTHERS_BETWEEN; n += 1) {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
      seed ^= functions[(seed >>> 4) % OTHERS]!(objects, seed);
    }
  };
}

function tell(name: string, costs: readonly Cost[]): void {
  for (const [index, { rounds: all, leastUs }] of costs.entries())
    console.log(`${name}  ${spread(all)} us${leastOf(leastUs)}  ${folders[index]}`);
  const [before, now] = costs;
  if (before === undefined || now === undefined) return;
  const ratios = now.rounds.map((us, n) => us / before.rounds[n]!);
  const least = now.leastUs === null ? null : now.leastUs / before.leastUs!;
  console.log(`${name}  ${spread(ratios)} of it${leastOf(least)}`);
}

function leastOf(value: number | null): string {
  return value === null ? '' : `, least ${value.toFixed(2)}`;
}

function spread(values: readonly number[]): string {
  const sorted = values.toSorted((one, two) => one - two);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]!.toFixed(2);
  return `${at(0.5)} [${at(0.25)}, ${at(0.75)}]`;
}
