import { type AskedDecision, askedIn } from '../../audit/event/asked-decision.ts';
import type { RecordedCall } from '../../decision/recorded-call.ts';
import { isUnsafe } from '../../http/method.ts';

/** Kinds of calls that are told apart: some 600 bytes each. Where there are more, reading ends. */
const GROUPS_MAX = 50_000;
/** Request ids that are kept of each kind: the newest. */
const SAMPLES = 3;
/** Tokens that are told apart of each account. */
const TOKENS_MAX = 8;

/** How often, and when: ISO 8601, UTC. */
export interface Seen {
  calls: number;
  first: string;
  last: string;
}

/** Calls of one account that asked the same and were told the same. */
export interface CallGroup extends RecordedCall, Seen {
  /** Ids of the newest of these requests. */
  readonly samples: string[];
}

/** What an account did. */
export interface AccountTrail extends Seen {
  readonly id: string;
  /** As the newest record has it. */
  readonly name: string;
  permitted: number;
  /** Calls of the administration. */
  adminCalls: number;
  /** Counted in a flood: more is not known of them. */
  counted: number;
  readonly groups: CallGroup[];
  readonly tokens: Map<string, Seen>;
}

/**
 * Recorded decisions, added up by who asked what and what came of it. The same few kinds of calls
 * come again and again, so that it stays small however long the record is; and what it cannot hold
 * it does not take.
 */
export class TrailFold {
  readonly accounts = new Map<string, AccountTrail>();
  /** Decisions that were added up. */
  calls = 0;
  /** Of them, those of nobody known. */
  unknown = 0;
  /** Lines that this version cannot read. */
  unreadable = 0;
  /** Of the oldest that was added; null: there is none. */
  first: string | null = null;
  readonly #groups = new Map<string, CallGroup>();
  readonly #max: number;

  constructor(max = GROUPS_MAX) {
    this.#max = max;
  }

  get isFull(): boolean {
    return this.#groups.size >= this.#max || this.accounts.size >= this.#max;
  }

  /** How many kinds of calls there are. */
  get size(): number {
    return this.#groups.size;
  }

  /** @param since ISO 8601, UTC: what was decided before is left out */
  add(line: string, since: string): void {
    const asked = askedIn(line);
    if (asked === null) {
      this.unreadable += 1;
      return;
    }
    if (asked.time < since) return;
    this.calls += asked.count;
    if (this.first === null || asked.time < this.first) this.first = asked.time;
    if (asked.account === null) this.unknown += asked.count;
    else this.#addKnown(asked, asked.account);
  }

  #addKnown(asked: AskedDecision, { id, name }: NonNullable<AskedDecision['account']>): void {
    let trail = this.accounts.get(id);
    if (trail === undefined) {
      const none = { calls: 0, permitted: 0, adminCalls: 0, counted: 0 };
      trail = { id, name, ...seenOf(asked), ...none, groups: [], tokens: new Map() };
      this.accounts.set(id, trail);
    }
    see(trail, asked);
    if (asked.permitted) trail.permitted += asked.count;
    if (asked.type === 'admin-call') trail.adminCalls += asked.count;
    else if (asked.count > 1) trail.counted += asked.count;
    else this.#addCall(trail, asked);
    if (asked.tokenId !== null) seeToken(trail.tokens, asked.tokenId, asked);
  }

  #addCall(trail: AccountTrail, asked: AskedDecision): void {
    const key = keyOf(trail.id, asked);
    const known = this.#groups.get(key);
    if (known !== undefined) {
      see(known, asked);
      if (known.samples.length < SAMPLES) known.samples.push(asked.id);
      return;
    }
    const { permitted, reason, hasDetail, route, permissions, applications, role } = asked;
    const unsafe = isUnsafe(asked.method);
    const told = { permitted, reason, hasDetail, route, permissions, applications, role, unsafe };
    const group = { ...told, ...seenOf(asked), samples: [asked.id] };
    this.#groups.set(key, group);
    trail.groups.push(group);
  }
}

/** No name of a route, role, permission or application holds one. */
const BETWEEN = '\n';

function keyOf(account: string, asked: AskedDecision): string {
  const { permitted, reason, hasDetail, route, permissions, applications, role, method } = asked;
  const flags = `${permitted ? 1 : 0}${hasDetail ? 1 : 0}${isUnsafe(method) ? 1 : 0}`;
  const words = [flags, reason, route ?? '', role ?? '', permissions.join(' ')];
  return [account, ...words, applications?.join(' ') ?? '-'].join(BETWEEN);
}

function seenOf({ count, time }: AskedDecision): Seen {
  return { calls: count, first: time, last: time };
}

function see(seen: Seen, { count, time }: AskedDecision): void {
  seen.calls += count;
  if (time < seen.first) seen.first = time;
  if (time > seen.last) seen.last = time;
}

function seeToken(tokens: AccountTrail['tokens'], id: string, asked: AskedDecision): void {
  const known = tokens.get(id);
  if (known !== undefined) see(known, asked);
  else if (tokens.size < TOKENS_MAX) tokens.set(id, seenOf(asked));
}
