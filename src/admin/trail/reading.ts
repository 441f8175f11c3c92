import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditReader } from '../../audit/port.ts';
import { anchorIn } from '../../audit/verify/anchors.ts';
import { turn } from '../../turns.ts';
import { readingLog } from '../activity.ts';
import { SKEW_MS } from '../request-lookup.ts';
import { TrailFold } from './fold.ts';
import type { CutShort, TrailWindow } from './port.ts';

/** What every decision's line holds, and few others. */
const DECISION = '"phase":"decision"';
/** Lines added up in one turn of the loop: about a millisecond of a running gate. */
const AT_ONCE = 100;
/** After each piece of the log, how long is waited besides: a gate that serves calls goes first. */
const PAUSE_MS = 1;

/**
 * One reading of recorded decisions, from the newest back to a moment, in as many parts as asked.
 */
export class TrailReading {
  readonly fold: TrailFold;
  readonly days: number;
  readonly beganMs: number;
  readonly #audit: AuditReader;
  readonly #sinceMs: number;
  #place: string | null = null;
  #backToMs: number;
  #ends: 'unread' | 'read' | 'too-many-kinds' = 'unread';
  /** Before which nothing is held; known at the end. */
  #heldFromMs = 0;
  #examined = 0;
  #isWhole = true;

  constructor(audit: AuditReader, days: number, nowMs: number, fold = new TrailFold()) {
    this.#audit = audit;
    this.fold = fold;
    this.days = days;
    this.beganMs = nowMs;
    this.#backToMs = nowMs;
    this.#sinceMs = Math.max(0, nowMs - days * 86_400_000);
  }

  get isOver(): boolean {
    return this.#ends !== 'unread';
  }

  /** Whether all pieces so far ended well: then it can go on, however the last answer ended. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  get examined(): number {
    return this.#examined;
  }

  /**
   * Reads on, until so many events more are looked at or there are no more of interest.
   *
   * @param mustGoOn asked before each piece; throws where nobody waits any more
   */
  async readOn(most: number, mustGoOn: () => void = () => {}): Promise<void> {
    const end = this.#examined + most;
    while (!this.isOver && this.#examined < end) {
      mustGoOn();
      this.#isWhole = false;
      await this.#piece();
      this.#isWhole = true;
    }
  }

  get window(): TrailWindow {
    return {
      since: iso(this.#sinceMs),
      from: iso(Math.max(this.#sinceMs, this.#backToMs, this.#heldFromMs)),
      until: iso(this.beganMs),
      cutShort: this.#cutShort,
      examined: this.#examined,
      calls: this.fold.calls,
      unreadable: this.fold.unreadable,
    };
  }

  get #cutShort(): CutShort | null {
    if (this.#ends !== 'read') return this.#ends;
    return this.#heldFromMs > this.#sinceMs ? 'not-held' : null;
  }

  async #piece(): Promise<void> {
    const sinceMs = Math.max(0, this.#sinceMs - SKEW_MS);
    const query = { text: DECISION, sinceMs, before: this.#place };
    const { events, examined, next, backToMs } = await readingLog(() => this.#audit.search(query));
    const since = iso(this.#sinceMs);
    for (const [at, line] of events.entries()) {
      if (at % AT_ONCE === 0) await turn();
      this.fold.add(line, since);
      if (this.fold.isFull) break;
    }
    this.#examined += examined;
    this.#place = next;
    if (this.fold.isFull) this.#ends = 'too-many-kinds';
    else if (next === null) await this.#finish();
    // What was begun and not ended counts for nothing: that piece may be known in part.
    if (!this.fold.isFull) this.#backToMs = Math.max(0, backToMs);
    await sleep(PAUSE_MS);
  }

  async #finish(): Promise<void> {
    const [oldestMs, anchors] = await readingLog(() =>
      Promise.all([this.#audit.oldestMs(), this.#audit.record.anchors()]),
    );
    const cut = anchors.map((json) => Date.parse(anchorIn(json)?.trimmedBefore ?? '') || 0);
    this.#heldFromMs = Math.max(oldestMs ?? this.beganMs, ...cut);
    this.#ends = 'read';
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
