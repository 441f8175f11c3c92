import type { EventBytes } from './bytes.ts';
import type { CallFacts, EndFacts, VerdictFacts } from './call-facts.ts';
import { decisionJson, endJson, fieldJson, outcomeJson, shortJson } from './call-json.ts';
import { EventHead, ID_AT } from './head.ts';
import { type PlainAccount, plainAccount, routeBlock } from './kept-blocks.ts';
import { EVENT_LIMITS } from './limits.ts';

/**
 * The one writer of events about calls. It is given facts, never a request: there is no field for a
 * query, a body or a header that nobody named, so none can be written. Whatever a field holds, it
 * writes JSON on one line.
 *
 * A field without a value is left out, except `account`, which is null for a caller who is not
 * known. Values that had to be cut are named in `truncated`.
 */

/** Writes the events about calls of one instance. `seq` is the outbox's number for the event. */
export class CallEvents {
  readonly #decision: EventHead;
  readonly #outcome: EventHead;

  /** @param instance name + random incarnation */
  constructor(instance: string) {
    this.#decision = new EventHead('call', 'decision', instance);
    this.#outcome = new EventHead('call', 'outcome', instance);
  }

  /**
   * One request and its verdict: exactly one such event per request.
   *
   * @param timeMs wall clock, ms since the epoch, when the verdict was reached
   * @param status of a refusal; null for a permit
   * @returns what `outcome` need not look at again; null where not every text is plain
   */
  decision(
    to: EventBytes,
    seq: number,
    timeMs: number,
    call: CallFacts,
    verdict: VerdictFacts,
    status: number | null,
  ): PlainAccount | null {
    const from = to.size;
    if (status === null && isUsual(call, verdict, timeMs)) {
      const account = plainAccount(verdict);
      const head = this.#decision.block(call.id.length, timeMs);
      if (writeUsualDecision(to, head, seq, call, verdict, account)) return account;
      to.shorten(from);
    }
    const head = this.#decision.json(shortJson(call.id), timeMs, seq);
    to.json(decisionJson(head, call, verdict, status));
    return null;
  }

  /** @param plain what `decision` answered of the same call and verdict */
  outcome(
    to: EventBytes,
    seq: number,
    timeMs: number,
    call: CallFacts,
    verdict: VerdictFacts,
    end: EndFacts,
    plain: PlainAccount | null,
  ): void {
    const from = to.size;
    if (plain !== null) {
      const head = this.#outcome.block(call.id.length, timeMs);
      if (writeUsualOutcome(to, head, seq, call, verdict, end, plain)) return;
      to.shorten(from);
    }
    const head = this.#outcome.json(shortJson(call.id), timeMs, seq);
    to.json(outcomeJson(head, call, verdict, end));
  }
}

/**
 * A permit with nothing out of the ordinary, which is nearly every event. Its texts are laid into
 * the line as they are, and looked at where they were written: one look at bytes in a row costs a
 * third of one at each text. Whatever is not plain is written anew, by `decisionJson`.
 */
function isUsual(call: CallFacts, verdict: VerdictFacts, timeMs: number): boolean {
  return (
    typeof timeMs === 'number' &&
    verdict.permitted === true &&
    verdict.demand === null &&
    verdict.scheme === null &&
    verdict.claimedAccountId === null &&
    verdict.preflight === null &&
    call.exposed === false &&
    isShortOrNull(call.door ?? null) &&
    areShort(call.headers ?? null) &&
    isShort(call.id) &&
    isShort(call.method) &&
    isShort(call.clientAddress) &&
    isShortOrNull(call.traceId) &&
    isShortOrNull(verdict.application) &&
    isShortOrNull(verdict.role) &&
    isShortOrNull(call.assertionId ?? null) &&
    typeof call.path === 'string' &&
    call.path.length <= EVENT_LIMITS.path &&
    (call.userAgent === null || isLess(call.userAgent, EVENT_LIMITS.userAgent))
  );
}

function isShort(value: unknown): boolean {
  return typeof value === 'string' && value.length <= EVENT_LIMITS.short;
}

function isShortOrNull(value: unknown): boolean {
  return value === null || isShort(value);
}

function areShort(headers: CallFacts['headers'] | null): boolean {
  if (headers === null) return true;
  if (typeof headers !== 'object') return false;
  for (const name in headers)
    if (!isShort(name) || !isLess(headers[name], EVENT_LIMITS.header)) return false;
  return true;
}

function isLess(value: unknown, limit: number): boolean {
  return typeof value === 'string' && value.length <= limit;
}

/** In front of the id where it stands for the second time. */
const REQUEST_ID = ',"requestId":"';
const CLOSING_BRACE = 0x7d;
/** Around the name and the text of a field. */
const QUOTES = 4;

function writeUsualDecision(
  to: EventBytes,
  head: Uint8Array,
  seq: number,
  call: CallFacts,
  verdict: VerdictFacts,
  { permit }: PlainAccount,
): boolean {
  const { id, userAgent, traceId } = call;
  const headers = call.headers ?? null;
  const assertionId = call.assertionId ?? null;
  const { application, role } = verdict;
  let texts = '';
  let fields = 4;
  /** Of what is no field with a text. */
  let quotes = 0;
  if (application !== null) {
    texts = `,"application":"${application}"`;
    fields += 1;
  }
  if (role !== null) {
    texts += `,"role":"${role}"`;
    fields += 1;
  }
  if (assertionId !== null) {
    texts += `,"assertionId":"${assertionId}"`;
    fields += 1;
  }
  if ((call.door ?? null) !== null) {
    texts += `,"door":"${call.door}"`;
    fields += 1;
  }
  texts += `,"method":"${call.method}","path":"${call.path}","clientAddress":"${call.clientAddress}"`;
  if (userAgent !== null) {
    texts += `,"userAgent":"${userAgent}"`;
    fields += 1;
  }
  if (headers !== null) {
    const names = Object.keys(headers);
    texts += `,"headers":{${names.map((name) => `"${name}":"${headers[name]}"`).join()}}`;
    quotes = 2 + names.length * QUOTES;
  }
  const idAt = texts.length + REQUEST_ID.length;
  texts += `,"requestId":"${id}"`;
  if (traceId !== null) {
    texts += `,"traceId":"${traceId}"`;
    fields += 1;
  }
  const begin = to.size;
  to.block(head);
  to.number(seq);
  to.block(permit);
  to.block(routeBlock(verdict.route));
  const from = to.size;
  if (!to.plain(texts, fields * QUOTES + quotes)) return false;
  to.copy(from + idAt, begin + ID_AT, id.length);
  to.byte(CLOSING_BRACE);
  return true;
}

/** Of a decision that was written so: its texts are known to be plain. */
function writeUsualOutcome(
  to: EventBytes,
  head: Uint8Array,
  seq: number,
  { id, traceId, door = null }: CallFacts,
  { route, application }: VerdictFacts,
  end: EndFacts,
  { account, endedWell }: PlainAccount,
): boolean {
  let texts = application === null ? '' : `,"application":"${application}"`;
  if (door !== null) texts += `,"door":"${door}"`;
  texts += endJson(end);
  const idAt = texts.length + REQUEST_ID.length;
  texts += `,"requestId":"${id}"`;
  if (traceId !== null) texts += `,"traceId":"${traceId}"`;
  const begin = to.size;
  to.block(head);
  to.number(seq);
  if (end.reason === 'permitted') to.block(endedWell);
  else to.json(`${account}${fieldJson(',"reason":', end.reason)}`);
  to.block(routeBlock(route));
  const from = to.size;
  if (!to.ascii(texts)) return false;
  to.copy(from + idAt, begin + ID_AT, id.length);
  to.byte(CLOSING_BRACE);
  return true;
}
