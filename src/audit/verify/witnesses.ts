import { createHash } from 'node:crypto';
import { CLOSED_AT_ONCE } from '../permits/ledger.ts';
import type { Finding } from './finding.ts';
import { type LogLine, textOf } from './line.ts';

/** Events without a number that one instance wrote for another one, and who vouches for them. */
interface Closed {
  readonly lines: { text: string; time: string }[];
  readonly witnesses: { count: number; digest: string; time: string; byOther: boolean }[];
}

/** What is known of the log once all of it was read. */
export interface WitnessedLog {
  /** Not the whole log was read: what is vouched for may be outside of it. */
  readonly part: boolean;
  /** Time of an instance's last event in ms, infinite if it ended well. */
  livedUntil(instance: string): number;
  /** Up to when events of an instance may have been cut, in ms; null: none were. */
  boundOf(instance: string): number | null;
}

/** Digests that were matched: a witness that comes again adds nothing. */
const MATCHED_KNOWN = 20_000;
/** Lines that wait for their witness; past these the oldest count as not witnessed. */
const MOST_LINES = 20_000;

/**
 * Compares the outcomes that were written for dead instances with the numbered events that vouch
 * for them. The two may stand in different streams, so either may come first.
 */
export class Witnesses {
  readonly #found: (finding: Finding) => void;
  readonly #closed = new Map<string, Closed>();
  readonly #matched = new Set<string>();
  #lines = 0;
  witnessed = 0;
  /** Without a witness, and its writer ended before it could have recorded one. */
  unwitnessed = 0;
  /** Vouched for, and not there for a reason: cut by retention, or outside of the part read. */
  gone = 0;

  constructor(found: (finding: Finding) => void) {
    this.#found = found;
  }

  line({ text, time, instance, event }: LogLine): void {
    if (this.#lines >= MOST_LINES) this.#dropOldest();
    const key = `${instance}\n${textOf(event.decidedBy)}`;
    const closed = this.#of(key);
    closed.lines.push({ text, time });
    this.#lines += 1;
    this.#match(key, closed);
  }

  witness({ instance, time, event }: LogLine): void {
    const { count, decidedBy, ofInstance } = event;
    const digest = textOf(event.digest);
    // Another one does it when the writer has ended; both may, and each more than once.
    const key = `${textOf(ofInstance) || instance}\n${textOf(decidedBy)}`;
    if (this.#matched.has(`${key}\n${digest}`)) return;
    const closed = this.#of(key);
    if (closed.witnesses.some((one) => one.digest === digest)) return;
    const byOther = textOf(ofInstance) !== '';
    closed.witnesses.push({ count: Number(count), digest, time, byOther });
    this.#match(key, closed);
  }

  /**
   * Of a record that goes on: what has waited for so long that its other half will not come.
   */
  settle(log: WitnessedLog, nowMs: number): void {
    for (const [key, closed] of this.#closed) {
      const newest = [closed.lines.at(-1), closed.witnesses.at(-1)].map((one) => one?.time ?? '');
      const newestMs = Math.max(...newest.map((time) => Date.parse(time) || 0));
      if (nowMs - newestMs < 2 * WITNESSED_WITHIN_MS) continue;
      const [instance = '', decidedBy = ''] = key.split('\n');
      this.#settle(instance, decidedBy, closed, log);
      this.#lines -= closed.lines.length;
      this.#closed.delete(key);
    }
  }

  end(log: WitnessedLog): void {
    for (const [key, closed] of this.#closed) {
      const [instance = '', decidedBy = ''] = key.split('\n');
      this.#settle(instance, decidedBy, closed, log);
    }
    this.#closed.clear();
  }

  #of(key: string): Closed {
    let closed = this.#closed.get(key);
    if (closed === undefined) {
      closed = { lines: [], witnesses: [] };
      this.#closed.set(key, closed);
    }
    return closed;
  }

  #match(key: string, closed: Closed): void {
    const { lines, witnesses } = closed;
    for (let at = 0; at < witnesses.length; ) {
      const { count, digest } = witnesses[at]!;
      const from = placeOf(lines, count, digest);
      if (from === -1) at += 1;
      else {
        witnesses.splice(at, 1);
        lines.splice(from, count);
        this.#lines -= count;
        this.witnessed += count;
        this.#remember(`${key}\n${digest}`);
        at = 0;
      }
    }
    if (lines.length + witnesses.length === 0) this.#closed.delete(key);
  }

  #remember(matched: string): void {
    if (this.#matched.size >= MATCHED_KNOWN)
      this.#matched.delete(this.#matched.values().next().value!);
    this.#matched.add(matched);
  }

  #dropOldest(): void {
    const [key, closed] = this.#closed.entries().next().value!;
    this.#lines -= closed.lines.length;
    this.unwitnessed += closed.lines.length;
    this.#closed.delete(key);
  }

  /** What did not match as it stands: fewer, more, or others than were vouched for. */
  #settle(instance: string, of: string, closed: Closed, log: WitnessedLog): void {
    const { lines } = closed;
    const livedUntil = log.livedUntil(instance);
    const due = closed.witnesses.reduce((total, { count }) => total + count, 0);
    const time = closed.witnesses[0]?.time ?? lines[0]?.time ?? null;
    const say = (kind: Finding['kind'], message: string) =>
      this.#found({ kind, instance, firstSeq: null, lastSeq: null, time, message });
    const what = `outcomes without a number that ${instance} wrote for ${of}`;
    if (due > lines.length && mayBeGone(closed, due - lines.length, livedUntil, log, of)) {
      this.gone += due - lines.length;
      this.unwitnessed += lines.length;
    } else if (due > lines.length)
      say('missing', `${due - lines.length} ${what} are missing: it vouches for ${due}`);
    else if (due > 0 && due === lines.length)
      say('changed', `${due} ${what} are not those that it vouches for, or in another order`);
    else if (due > 0)
      say('inserted', `${lines.length - due} ${what} were put there: it vouches for ${due}`);
    else this.#unvouched(lines, livedUntil, say, what);
  }

  #unvouched(
    lines: Closed['lines'],
    livedUntil: number,
    say: (kind: 'inserted', message: string) => void,
    what: string,
  ): void {
    const [first] = lines;
    if (first === undefined) return;
    const after = livedUntil - Date.parse(first.time);
    if (after > WITNESSED_WITHIN_MS)
      say('inserted', `${lines.length} ${what} were put there: it lived on and vouches for none`);
    else this.unwitnessed += lines.length;
  }
}

/**
 * Whether so many outcomes were due to be cut, or may be outside of what was read. They are in the
 * stream of the instance for which they were written, and not younger than who vouches for them;
 * whoever does it for another one may do it long after.
 */
function mayBeGone(
  { witnesses }: Closed,
  missing: number,
  livedUntil: number,
  { part, boundOf }: WitnessedLog,
  of: string,
): boolean {
  if (part) return true;
  const boundMs = boundOf(of);
  if (boundMs === null) return false;
  const mayBeOld = ({ time, byOther }: Closed['witnesses'][number]) =>
    Date.parse(time) <= boundMs ||
    (byOther && (!Number.isFinite(livedUntil) || livedUntil <= boundMs));
  return witnesses.filter(mayBeOld).reduce((sum, { count }) => sum + count, 0) >= missing;
}

/** An instance that lives on has recorded by then what it wrote for others. */
const WITNESSED_WITHIN_MS = 60_000;

/**
 * Where the lines begin for which a witness stands; -1 = they are not here. One that comes late
 * finds those of others before its own, and each step but the last writes as many as it may.
 */
function placeOf(lines: readonly { text: string }[], count: number, digest: string): number {
  if (!(count > 0)) return -1;
  for (let from = 0; from + count <= lines.length; from += CLOSED_AT_ONCE)
    if (digestOf(lines.slice(from, from + count)) === digest) return from;
  return -1;
}

function digestOf(lines: readonly { text: string }[]): string {
  const digest = createHash('sha256');
  for (const { text } of lines) digest.update(`${text}\n`);
  return digest.digest('base64url');
}
