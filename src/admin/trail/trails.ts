import { randomBytes } from 'node:crypto';
import type { AuditReader } from '../../audit/port.ts';
import type { Clock } from '../../clock.ts';
import { type AdminActor, mustBeThere } from '../actor.ts';
import { AdminError, invalid } from '../error.ts';
import type { Trail, TrailQuery, TrailSource } from './port.ts';
import { TrailReading } from './reading.ts';

/** Events looked at for one answer; the next one goes on from there. */
const EXAMINED_MAX = 200_000;
/** Readings that are kept, to go on with: some 35 MB each at their longest. */
const KEPT = 2;
const KEPT_MS = 10 * 60_000;
/** Whoever reads on asks again sooner than that. */
const IDLE_MS = 10_000;
/** What was read to its end so short a time ago is not read anew. */
const FRESH_MS = 15_000;
/** Answers that may wait for one that is being made: each reads by itself. */
const WAITING_MAX = 8;

export interface TrailOptions {
  readonly audit: AuditReader;
  readonly clock: Clock;
  readonly examinedMax?: number;
}

export function createTrails(options: TrailOptions): TrailSource {
  return new Trails(options);
}

interface Kept {
  readonly reading: TrailReading;
  readonly usedMs: number;
}

class Trails implements TrailSource {
  readonly #options: TrailOptions;
  /** Cursors that somebody waits to go on with. */
  readonly #wanted = new Set<string>();
  /** In the order of their last use. */
  readonly #kept = new Map<string, Kept>();
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(options: TrailOptions) {
    this.#options = options;
  }

  async read(query: TrailQuery, actor: Pick<AdminActor, 'left'>): Promise<Trail> {
    if (this.#waiting >= WAITING_MAX)
      throw new AdminError(
        'conflict',
        'too many others look through the record of calls at the moment: try again in a minute',
      );
    const { cursor = null } = query;
    this.#waiting += 1;
    if (cursor !== null) this.#wanted.add(cursor);
    try {
      const read = this.#last.then(() => this.#read(query, actor));
      this.#last = read.catch(() => undefined);
      return await read;
    } finally {
      this.#waiting -= 1;
      if (cursor !== null) this.#wanted.delete(cursor);
    }
  }

  async #read(
    { days, cursor = null }: TrailQuery,
    actor: Pick<AdminActor, 'left'>,
  ): Promise<Trail> {
    mustBeThere(actor);
    this.#tidy();
    const [name, reading] = cursor === null ? this.#begun(days) : this.#goingOn(cursor);
    try {
      await reading.readOn(this.#options.examinedMax ?? EXAMINED_MAX, () => mustBeThere(actor));
    } catch (error) {
      // Whoever has left between two pieces may come back with the cursor, where they were told it;
      // after any other end it is not known how far it came.
      if (cursor === null || !reading.isWhole) this.#kept.delete(name);
      throw error;
    }
    this.#use(name, reading);
    const { fold, window, isOver } = reading;
    return { fold, window, next: isOver ? null : name };
  }

  #begun(days: number): readonly [string, TrailReading] {
    const nowMs = this.#options.clock.wallMs();
    for (const [name, { reading }] of this.#kept)
      if (reading.isOver && reading.days === days && Math.abs(nowMs - reading.beganMs) < FRESH_MS)
        return [name, reading];
    if (this.#kept.size >= KEPT) this.#makeRoom();
    const name = randomBytes(16).toString('base64url');
    return this.#use(name, new TrailReading(this.#options.audit, days, nowMs));
  }

  /** What was read to its end goes first; nobody loses what they are reading on. */
  #makeRoom(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const kept = [...this.#kept];
    const given =
      kept.find(([, { reading }]) => reading.isOver) ??
      kept.find(([name, { usedMs }]) => !this.#wanted.has(name) && nowMs - usedMs > IDLE_MS);
    if (given === undefined)
      throw new AdminError(
        'conflict',
        `${KEPT} others look through the record of calls at the moment: try again in a few minutes`,
      );
    this.#kept.delete(given[0]);
  }

  #goingOn(cursor: string): readonly [string, TrailReading] {
    const kept = this.#kept.get(cursor);
    if (kept !== undefined) return this.#use(cursor, kept.reading);
    const message = 'is not known here, or not any more: ask again without it, and of one gate';
    throw invalid([{ field: 'cursor', message }]);
  }

  #use(name: string, reading: TrailReading): readonly [string, TrailReading] {
    this.#kept.delete(name);
    this.#kept.set(name, { reading, usedMs: this.#options.clock.monotonicMs() });
    return [name, reading];
  }

  #tidy(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [name, { usedMs }] of this.#kept)
      if (nowMs - usedMs > KEPT_MS) this.#kept.delete(name);
  }
}
