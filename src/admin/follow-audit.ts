import { setTimeout as sleep } from 'node:timers/promises';
import { type AuditScan, AuditUnavailable } from '../audit/port.ts';
import { anchorIn } from '../audit/verify/anchors.ts';
import type { Finding } from '../audit/verify/finding.ts';
import type { Trust } from '../audit/verify/keys.ts';
import { LastingFindings } from '../audit/verify/lasting.ts';
import { Verifier } from '../audit/verify/verifier.ts';
import type { Clock } from '../clock.ts';
import { AdminError } from './error.ts';
import { readOn } from './read-record.ts';
import { headIn } from './verify-audit.ts';

/** How far who follows has come. */
export interface FollowState {
  readonly events: number;
  readonly gaps: number;
  readonly edits: number;
  /** When all was read that was there, in ms since 1970. */
  readonly readMs: number;
}

export interface FollowObserver {
  found(finding: Finding): void;
  read(state: FollowState): void;
  /** The record cannot be read now, told once until it can again (null). */
  away(why: string | null): void;
}

/** What an observer is told, as a message. */
export type FollowItem =
  | { readonly found: Finding }
  | { readonly read: FollowState }
  | { readonly away: string | null };

export interface FollowTimes {
  /** Between two looks at what has come. */
  readonly lookEveryMs: number;
  /** Between two judgements of what is missing. */
  readonly settleEveryMs: number;
  /** How long something has to look wrong that can come right by itself. */
  readonly lastingMs: number;
}

const TIMES: FollowTimes = { lookEveryMs: 2_000, settleEveryMs: 10_000, lastingMs: 60_000 };

/**
 * Verifies a record from its oldest event on, and then what comes, until the signal says stop. What
 * it has read it does not read again. Throws `unavailable` where the record cannot be read at
 * first; later it waits until it can.
 */
export async function followAudit(
  record: AuditScan,
  trust: Trust | null,
  observer: FollowObserver,
  clock: Clock,
  signal: AbortSignal,
  times: FollowTimes = TIMES,
): Promise<void> {
  const follower = new Follower(record, trust, observer, clock, times);
  let isAway = false;
  while (!signal.aborted) {
    try {
      await follower.look(signal);
      if (isAway) observer.away(null);
      isAway = false;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof AuditUnavailable)) throw error;
      const message = `the audit log cannot be read: ${error.message}`;
      if (!follower.hasRead) throw new AdminError('unavailable', message, { cause: error });
      if (!isAway) observer.away(message);
      isAway = true;
    }
    await sleep(times.lookEveryMs, undefined, { signal }).catch(() => {});
  }
}

class Follower {
  readonly #record: AuditScan;
  readonly #observer: FollowObserver;
  readonly #clock: Clock;
  readonly #times: FollowTimes;
  readonly #keys = new Map<string, string>();
  /** As of the last look. */
  #anchors: ReadonlySet<string> = new Set<string>();
  readonly #verifier: Verifier;
  readonly #lasting: LastingFindings;
  #after: string | null = null;
  #settledMs = Number.NEGATIVE_INFINITY;

  constructor(
    record: AuditScan,
    trust: Trust | null,
    observer: FollowObserver,
    clock: Clock,
    times: FollowTimes,
  ) {
    this.#record = record;
    this.#observer = observer;
    this.#clock = clock;
    this.#times = times;
    const found = (finding: Finding) => observer.found(finding);
    this.#verifier = new Verifier({
      beside: { keys: this.#keys, heads: [], anchors: [] },
      trust,
      whole: true,
      sparse: false,
      goesOn: true,
      nowMs: () => clock.wallMs(),
      found,
    });
    this.#lasting = new LastingFindings(times.lastingMs, (finding) => this.#verifier.tell(finding));
  }

  get hasRead(): boolean {
    return this.#after !== null;
  }

  /** Reads what has come, and from time to time judges what has not. */
  async look(signal: AbortSignal): Promise<void> {
    const isDue = this.#clock.monotonicMs() - this.#settledMs >= this.#times.settleEveryMs;
    // What heads speak of must be there, so they are read before what they speak of.
    if (isDue) await this.#readBeside();
    const take = (event: string) => this.#verifier.add(event);
    this.#after = await readOn(this.#record, this.#after, take, () => {}, [signal]);
    if (isDue) {
      await this.#readKeys();
      this.#settledMs = this.#clock.monotonicMs();
      this.#lasting.look(this.#verifier.unsettled(this.#clock.wallMs()), this.#settledMs);
    }
    this.#tell();
  }

  async #readBeside(): Promise<void> {
    const heads = await this.#record.heads();
    await this.#readKeys();
    const anchors = await this.#record.anchors();
    for (const json of anchors) {
      const anchor = this.#anchors.has(json) ? null : anchorIn(json);
      if (anchor !== null) this.#verifier.addAnchor(anchor, this.hasRead);
    }
    this.#anchors = new Set(anchors);
    this.#verifier.expect(heads.flatMap((line) => headIn(line) ?? []));
  }

  /** A key may be registered a moment after the first event that is signed with it. */
  async #readKeys(): Promise<void> {
    for (const { key, publicKey } of await this.#record.keys()) this.#keys.set(key, publicKey);
  }

  #tell(): void {
    const { events, gaps, edits } = this.#verifier;
    this.#observer.read({ events, gaps, edits, readMs: this.#clock.wallMs() });
  }
}
