/**
 * Whether the time of comparing two digests tells where they differ: Welch's t-test between pairs
 * that differ in the first character, in the last one, in all, and against the blank, as dudect
 * does it (Reparaz, Balasch, Verbauwhede 2017: a |t| above 10 is a leak, below 4.5 is none that can
 * be seen). A comparison that stops at the first difference stands beside it, to show that a leak
 * would be seen.
 *
 *     npm run prove -- digest-times [SAMPLES]
 */
import { digestsEqual, NO_DIGEST, newToken, tokenDigest } from '../../src/account/token.ts';
import { Random } from '../fuzz/random.ts';

const SAMPLES = Number(process.argv[2] ?? 400_000);
/** Comparisons in one sample: one alone is shorter than what reading the clock takes. */
const BATCH = 64;
const PAIRS = 64;
/** The slowest samples were interrupted. */
const KEPT_SHARE = 0.9;
const LEAK = 10;

const random = new Random(20261129);
const digests = Array.from({ length: PAIRS }, () => tokenDigest(newToken('abcdefghijkl')));
const CLASSES = {
  'first character differs': (digest: string) => `${other(digest[0]!)}${digest.slice(1)}`,
  'last character differs': (digest: string) => `${digest.slice(0, -1)}${other(digest.at(-1)!)}`,
  'all differ': (digest: string) => [...digest].map(other).join(''),
  'no digest': () => NO_DIGEST,
} as const;
type Class = keyof typeof CLASSES;
type Equal = (one: string, other: string) => boolean;
const classes = Object.keys(CLASSES) as Class[];
const others = new Map(
  classes.map((name) => [name, digests.map((digest) => copyOf(CLASSES[name](digest)))]),
);
/** Counted and said, so that no comparison can be left out as useless. */
let found = 0;

const ours = worst(digestsEqual);
const control = worst(stopsAtTheFirst);
console.log(
  `digestsEqual: largest |t| ${ours.toFixed(1)}; one that stops at the first: ${control.toFixed(1)}; ${found} were equal`,
);
if (control < LEAK) console.error('the control shows no leak: too few samples, or too much noise');
if (ours > LEAK || control < LEAK) process.exitCode = 1;

/** The largest |t| of any two classes. */
function worst(equal: Equal): number {
  const times = new Map(classes.map((name) => [name, [] as number[]]));
  for (let sample = -SAMPLES / 10; sample < SAMPLES; sample += 1) {
    const name = random.pick(classes);
    const took = timeOf(equal, others.get(name)!);
    if (sample >= 0) times.get(name)!.push(took);
  }
  const moments = [...times.values()].map(momentsOf);
  const ts = moments.flatMap((one, n) => moments.slice(n + 1).map((two) => welch(one, two)));
  return Math.max(...ts);
}

function timeOf(equal: Equal, presented: readonly string[]): number {
  const from = performance.now();
  for (let n = 0; n < BATCH; n += 1)
    if (equal(digests[n % PAIRS]!, presented[n % PAIRS]!)) found += 1;
  return performance.now() - from;
}

function stopsAtTheFirst(one: string, other: string): boolean {
  for (let index = 0; index < one.length; index += 1)
    if (one.charCodeAt(index) !== other.charCodeAt(index)) return false;
  return true;
}

interface Moments {
  readonly mean: number;
  readonly variance: number;
  readonly count: number;
}

function momentsOf(times: readonly number[]): Moments {
  const kept = times.toSorted((one, two) => one - two).slice(0, times.length * KEPT_SHARE);
  const mean = kept.reduce((sum, time) => sum + time, 0) / kept.length;
  const variance = kept.reduce((sum, time) => sum + (time - mean) ** 2, 0) / (kept.length - 1);
  return { mean, variance, count: kept.length };
}

function welch(one: Moments, two: Moments): number {
  return (
    Math.abs(one.mean - two.mean) / Math.sqrt(one.variance / one.count + two.variance / two.count)
  );
}

/** Another hexadecimal digit. */
function other(digit: string): string {
  return digit === '0' ? '1' : '0';
}

/** Of its own in memory, as what comes from a request and what comes from the registry are. */
function copyOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
