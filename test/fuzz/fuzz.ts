import { Random } from './random.ts';
import { type Finding, requestComparer } from './requests.ts';
import { responseComparer } from './responses.ts';
import { loadWire } from './wire.ts';

export const KINDS = ['requests', 'responses'] as const;
export type Kind = (typeof KINDS)[number];

export interface FuzzOptions {
  readonly kind: Kind;
  /**
   * The first case's; the others count on from it, so that the seed of any case begins a run with
   * that case.
   */
  readonly seed: number;
  readonly cases: number;
  readonly seconds: number;
  /** Folder with the rooms of the HTTP/1.1 engine. */
  readonly wire: string;
}

export interface FuzzReport {
  readonly cases: number;
  readonly seconds: number;
  /** Whole messages that were let in and compared, by how their end is known. */
  readonly accepted: ReadonlyMap<string, number>;
  readonly failure: {
    readonly seed: number;
    readonly problem: string;
    readonly bytes: Buffer;
  } | null;
}

/** The clock is looked at once in so many cases. */
const CASES_PER_LOOK = 256;

/** Runs until the cases or the time are over, or until something is wrong. */
export async function fuzz({ kind, seed, cases, seconds, wire }: FuzzOptions): Promise<FuzzReport> {
  const engine = await loadWire(wire);
  const compare = kind === 'requests' ? requestComparer(engine) : responseComparer(engine);
  const begin = performance.now();
  const accepted = new Map<string, number>();
  let done = 0;
  let failure: FuzzReport['failure'] = null;
  while (done < cases && failure === null) {
    const caseSeed = (seed + done) >>> 0;
    const finding = guarded(compare, caseSeed);
    done += 1;
    for (const what of finding.accepted) accepted.set(what, (accepted.get(what) ?? 0) + 1);
    if (finding.problem !== null)
      failure = { seed: caseSeed, problem: finding.problem, bytes: finding.bytes };
    if (done % CASES_PER_LOOK === 0 && performance.now() - begin > seconds * 1000) break;
  }
  return { cases: done, seconds: (performance.now() - begin) / 1000, accepted, failure };
}

/**
 * A parser that throws is as wrong as one that misreads, and the seed must be told all the same.
 */
function guarded(compare: (random: Random) => Finding, seed: number): Finding {
  try {
    return compare(new Random(seed));
  } catch (error) {
    return {
      accepted: [],
      problem: `it threw: ${error instanceof Error ? error.stack : error}`,
      bytes: Buffer.alloc(0),
    };
  }
}
