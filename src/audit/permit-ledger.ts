import type { PermitChanges } from './open-permits.ts';

/**
 * What the store knows of permits without an outcome, so that they can be closed when the instance
 * that gave them ends without a word.
 *
 * An instance tells which of its permits are open as of one of its events, about once a second;
 * what happened after that event is in the record itself, and is read from there.
 */
export interface PermitLedger {
  /**
   * Counts only if the store holds exactly the events of this instance up to `lastSeq`.
   *
   * @param complete false: more is to be told before the record can be read from here on
   * @returns whether it counted
   */
  tell(
    instance: string,
    lastSeq: number,
    changes: PermitChanges,
    complete: boolean,
  ): Promise<boolean>;
  /** This instance lives, for so long at least. */
  alive(instance: string, forMs: number): Promise<void>;
  /** Instances that have told something, are not known to live, and have not said goodbye. */
  silent(): Promise<readonly string[]>;
  /**
   * What was left open by an instance that is gone, as `permitText`; null while another instance
   * closes it. Reads at most 100,000 events.
   *
   * @param by who closes them
   */
  left(instance: string, by: string): Promise<readonly string[] | null>;
  /** Nothing is open: the instance has said goodbye, or what it left is closed. */
  forget(instance: string): Promise<void>;
}

/** Events read at a time, and in all, to find what an instance left open. */
export const READ_AT_ONCE = 1000;
export const READ_AT_MOST = 100_000;

/** Fields of a decision that its outcome repeats. */
const KEPT = [
  'type',
  'account',
  'actor',
  'route',
  'permission',
  'upstream',
  'application',
] as const;

interface Decision {
  readonly id: string;
  readonly seq: number;
  readonly phase: string;
  readonly decision?: string;
  readonly instance: string;
}

/** What the outcome of a permit says beside how it ended. */
export function permitText(decision: Readonly<Record<string, unknown>>): string {
  const text: Record<string, unknown> = { id: decision.id };
  for (const name of KEPT) if (decision[name] !== undefined) text[name] = decision[name];
  for (const name of ['method', 'path'])
    if (decision.type === 'admin-call') text[name] = decision[name];
  if (decision.traceId !== undefined) text.traceId = decision.traceId;
  return JSON.stringify(text);
}

/** Finds what is open in the end, from what was told and the events that came after it. */
export class LeftOpen {
  readonly #instance: string;
  readonly #lastSeq: number;
  readonly #open = new Map<string, string>();
  #read = 0;

  /** @param lastSeq of the instance's last event; 0 = not known */
  constructor(instance: string, told: Iterable<string>, lastSeq: number) {
    this.#instance = instance;
    this.#lastSeq = lastSeq;
    for (const text of told) this.#open.set((JSON.parse(text) as { id: string }).id, text);
  }

  /** An event of the record, in its order. @returns whether to read on */
  take(line: string): boolean {
    this.#read += 1;
    if (line.includes(`"instance":${JSON.stringify(this.#instance)}`)) {
      const event = JSON.parse(line) as Decision & Record<string, unknown>;
      if (event.instance === this.#instance) {
        if (event.phase === 'outcome') this.#open.delete(event.id);
        else if (event.phase === 'decision' && event.decision === 'permit')
          this.#open.set(event.id, permitText(event));
        if (event.seq === this.#lastSeq) return false;
      }
    }
    return this.#read < READ_AT_MOST;
  }

  get permits(): readonly string[] {
    return [...this.#open.values()];
  }
}
