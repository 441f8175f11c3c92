import type { AccountKind } from '../../account/model.ts';
import type { Reason } from '../../refusal.ts';
import type { EventBytes } from './bytes.ts';
import { EventHead, ID_AT } from './head.ts';
import { EVENT_LIMITS } from './limits.ts';
import { bounded, quoted } from './text.ts';

/**
 * The one writer of events about calls. It is given facts, never a request: there is no field for a
 * header, a query or a body, so none can be written. Whatever a field holds, it writes JSON on one
 * line.
 *
 * A field without a value is left out, except `account`, which is null for a caller who is not
 * known. Values that had to be cut are named in `truncated`.
 */

/**
 * Who: any account record will do. The object is a cache key: the same one for the same account.
 */
export interface AccountFacts {
  readonly id: string;
  readonly name: string;
  readonly kind: AccountKind;
}

/** The route that matched: decision/route.ts's `Route` will do. The object is a cache key. */
export interface RouteFacts {
  readonly name: string;
  readonly permission: string | null;
  readonly upstream: string;
}

/**
 * What a call was about, where it is more than one application and the permission that the route
 * names: decision/demand.ts's `Demand` will do.
 */
export interface DemandFacts {
  readonly applications: readonly string[] | null;
  readonly permissions: readonly string[];
}

/** What was asked: calls/record.ts's `CallRecord` will do. */
export interface CallFacts {
  /** The request id. */
  readonly id: string;
  readonly method: string | null;
  /** Without the query: whatever follows a `?` or `#` is dropped here too. */
  readonly path: string | null;
  readonly clientAddress: string | null;
  readonly userAgent: string | null;
  readonly traceId: string | null;
  /** A token came over plain HTTP: whoever listened has it. */
  readonly exposed: boolean;
}

/** What was found out and decided: decision/verdict.ts's `Verdict` will do. */
export interface VerdictFacts {
  readonly permitted: boolean;
  /** Why not; a permit has none. */
  readonly reason?: Reason;
  /** One fixed phrase that says more than the reason. */
  readonly detail?: string | null;
  /** The authenticated account, or null. Never an account that was merely claimed. */
  readonly account: { readonly account: AccountFacts } | null;
  readonly claimedAccountId: string | null;
  readonly tokenId: string | null;
  /** How the token was presented, where not with `Bearer`. */
  readonly scheme: string | null;
  /** The method that a browser's preflight asked about; the gate has answered it. */
  readonly preflight?: string | null;
  readonly route: RouteFacts | null;
  readonly application: string | null;
  /** Null: the route and the application say it all. */
  readonly demand: DemandFacts | null;
  /** The effective role that decided. */
  readonly role: string | null;
}

/** How a permitted call ended. */
export interface EndFacts {
  /**
   * `permitted` = ended well; `client-aborted`, `outcome-unknown`, or the refusal that replaced the
   * answer (`upstream-timeout`, …).
   */
  readonly reason: Reason;
  /** What the client was told; 0 = nothing. */
  readonly status: number;
  /** What the upstream said; null when it said nothing. */
  readonly upstreamStatus: number | null;
  /** From the first byte of the request to the last of the answer; kept to the microsecond. */
  readonly durationMs: number;
  /** Body bytes, without framing. */
  readonly requestBytes: number;
  readonly responseBytes: number;
}

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

// ── the usual ones ──

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
    isShort(call.id) &&
    isShort(call.method) &&
    isShort(call.clientAddress) &&
    isShortOrNull(call.traceId) &&
    isShortOrNull(verdict.application) &&
    isShortOrNull(verdict.role) &&
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

function isLess(value: unknown, limit: number): boolean {
  return typeof value === 'string' && value.length <= limit;
}

/** In front of the id where it stands for the second time. */
const REQUEST_ID = ',"requestId":"';
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
  const { application, role } = verdict;
  let texts = '';
  let fields = 4;
  if (application !== null) {
    texts = `,"application":"${application}"`;
    fields += 1;
  }
  if (role !== null) {
    texts += `,"role":"${role}"`;
    fields += 1;
  }
  texts += `,"method":"${call.method}","path":"${call.path}","clientAddress":"${call.clientAddress}"`;
  if (userAgent !== null) {
    texts += `,"userAgent":"${userAgent}"`;
    fields += 1;
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
  if (!to.plain(texts, fields * QUOTES)) return false;
  to.copy(from + idAt, begin + ID_AT, id.length);
  to.byte(CLOSING_BRACE);
  return true;
}

/** Of a decision that was written so: its texts are known to be plain. */
function writeUsualOutcome(
  to: EventBytes,
  head: Uint8Array,
  seq: number,
  { id, traceId }: CallFacts,
  { route, application }: VerdictFacts,
  end: EndFacts,
  { account, endedWell }: PlainAccount,
): boolean {
  let texts = application === null ? '' : `,"application":"${application}"`;
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

// ── any ──

function decisionJson(
  head: string,
  call: CallFacts,
  verdict: VerdictFacts,
  status: number | null,
): string {
  const { path, userAgent } = call;
  const id = shortJson(call.id);
  return (
    `${head}${accountOf(verdict)}` +
    fieldJson(',"claimedAccountId":', verdict.claimedAccountId) +
    (call.exposed === true ? ',"exposed":true' : '') +
    fieldJson(',"tokenId":', verdict.tokenId) +
    fieldJson(',"scheme":', verdict.scheme) +
    (verdict.permitted === true
      ? PERMIT
      : `,"decision":"refusal"${fieldJson(',"reason":', verdict.reason)}${fieldJson(',"detail":', verdict.detail)}`) +
    aimJson(verdict) +
    fieldJson(',"role":', verdict.role) +
    fieldJson(',"method":', call.method) +
    fieldJson(',"preflight":', verdict.preflight) +
    (typeof path === 'string' ? `,"path":${textJson(pathOnly(path), EVENT_LIMITS.path)}` : '') +
    numberJson(',"status":', status) +
    fieldJson(',"clientAddress":', call.clientAddress) +
    (typeof userAgent === 'string'
      ? `,"userAgent":${textJson(userAgent, EVENT_LIMITS.userAgent)}`
      : '') +
    `,"requestId":${id}` +
    fieldJson(',"traceId":', call.traceId) +
    truncatedJson(path, userAgent) +
    '}'
  );
}

function outcomeJson(head: string, call: CallFacts, verdict: VerdictFacts, end: EndFacts): string {
  const id = shortJson(call.id);
  return (
    `${head}${accountOf(verdict)}` +
    fieldJson(',"reason":', end.reason) +
    aimJson(verdict) +
    endJson(end) +
    `,"requestId":${id}` +
    fieldJson(',"traceId":', call.traceId) +
    '}'
  );
}

/** Where the call leads. */
function aimJson({ route, demand, application }: VerdictFacts): string {
  const asked = isObject(demand) ? demand : null;
  return (
    routeJson(route, asked) +
    fieldJson(',"application":', application) +
    listJson(',"applications":', asked?.applications)
  );
}

function endJson(end: EndFacts): string {
  return (
    (end.status === 0 ? '' : numberJson(',"status":', end.status)) +
    numberJson(',"upstreamStatus":', end.upstreamStatus) +
    (Number.isFinite(end.durationMs) ? `,"durationMs":${millisecondsJson(end.durationMs)}` : '') +
    numberJson(',"requestBytes":', end.requestBytes) +
    numberJson(',"responseBytes":', end.responseBytes)
  );
}

/**
 * What the outcome of a permit says beside its ids and how it ended: for whoever has to write it,
 * should this process end without a word.
 */
export function permitJson(verdict: VerdictFacts): string {
  return `{"type":"call"${accountOf(verdict)}${aimJson(verdict)}}`;
}

function accountOf({ account: principal }: VerdictFacts): string {
  const account = principal?.account;
  return isObject(account) ? `,${accountJson(account)}` : NO_ACCOUNT;
}

/** The field `account`. */
export function accountJson({ id, name, kind }: AccountFacts): string {
  return `"account":{"id":${shortJson(id)},"name":${shortJson(name)},"kind":${shortJson(kind)}}`;
}

/**
 * The fields about a route, each behind a comma. One permission alone that was asked for takes the
 * place of the route's, which has variables.
 */
export function routeJson(route: RouteFacts | null, demand: DemandFacts | null): string {
  if (!isObject(route)) return '';
  const [only = null, ...others] = demand?.permissions ?? [];
  const permission = others.length === 0 ? (only ?? route.permission) : route.permission;
  return (
    fieldJson(',"route":', route.name) +
    fieldJson(',"permission":', permission) +
    listJson(',"permissions":', demand?.permissions) +
    fieldJson(',"upstream":', route.upstream === '' ? null : route.upstream)
  );
}

// ── what is written once and kept ──

const PERMIT = ',"decision":"permit","reason":"permitted"';
const NO_ACCOUNT = ',"account":null';
const NOTHING = new Uint8Array(0);
const CLOSING_BRACE = 0x7d;

/** What is written of an account, in any event. */
export interface PlainAccount {
  /** The field, behind a comma. */
  readonly account: string;
  /** The same and the reason, in the outcome of a call that ended well. */
  readonly endedWell: Uint8Array;
  /** The token that `permit` names. */
  tokenId: string | null;
  /** From the account to the reason, in the decision of a permit. */
  permit: Uint8Array;
}

const accounts = new WeakMap<AccountFacts, PlainAccount>();
const routeBlocks = new WeakMap<RouteFacts, Uint8Array>();
const nobody = plainOf(NO_ACCOUNT);

function plainAccount({ account: principal, tokenId }: VerdictFacts): PlainAccount {
  const account = principal?.account;
  let plain: PlainAccount | undefined = nobody;
  if (isObject(account)) {
    plain = accounts.get(account);
    if (plain === undefined) {
      plain = plainOf(`,${accountJson(account)}`);
      accounts.set(account, plain);
    }
  }
  if (plain.tokenId !== tokenId) {
    plain.permit = permitBlock(plain.account, tokenId);
    plain.tokenId = tokenId;
  }
  return plain;
}

function plainOf(account: string): PlainAccount {
  const endedWell = Buffer.from(`${account},"reason":"permitted"`);
  return { account, endedWell, tokenId: null, permit: permitBlock(account, null) };
}

function permitBlock(account: string, tokenId: string | null): Uint8Array {
  return Buffer.from(`${account}${fieldJson(',"tokenId":', tokenId)}${PERMIT}`);
}

function routeBlock(route: RouteFacts | null): Uint8Array {
  if (!isObject(route)) return NOTHING;
  let block = routeBlocks.get(route);
  if (block === undefined) {
    block = Buffer.from(routeJson(route, null));
    routeBlocks.set(route, block);
  }
  return block;
}

function isObject<T extends object>(value: T | null | undefined): value is T {
  return typeof value === 'object' && value !== null;
}

// ── fields ──

/** @param name with its comma and colon: `,"role":` */
function fieldJson(name: string, value: string | null | undefined): string {
  return typeof value === 'string' ? name + shortJson(value) : '';
}

function shortJson(value: unknown): string {
  return textJson(value, EVENT_LIMITS.short);
}

function textJson(value: unknown, limit: number): string {
  return typeof value === 'string' ? quoted(bounded(value, limit)) : 'null';
}

function numberJson(name: string, value: number | null): string {
  return Number.isFinite(value) ? `${name}${value}` : '';
}

/** The digits behind the point of so many thousandths. */
const THOUSANDTHS = Array.from({ length: 1000 }, (_, count) => String(count / 1000).slice(1));

/** Kept to the microsecond. */
function millisecondsJson(ms: number): string {
  const microseconds = Math.round(ms * 1000);
  if ((microseconds | 0) !== microseconds || microseconds < 0) return String(microseconds / 1000);
  const whole = (microseconds / 1000) | 0;
  return `${whole}${THOUSANDTHS[microseconds - whole * 1000]!}`;
}

/** One alone stands in a field of its own. */
function listJson(name: string, values: readonly string[] | null | undefined): string {
  return Array.isArray(values) && values.length > 1
    ? `${name}[${values.map(shortJson).join(',')}]`
    : '';
}

/**
 * The query ends the path here whatever the caller thought: a query may hold secrets and is never
 * recorded.
 */
function pathOnly(path: string): string {
  return path.split(/[?#]/, 1)[0]!;
}

function truncatedJson(path: string | null, userAgent: string | null): string {
  const cut: string[] = [];
  if (isLonger(path, EVENT_LIMITS.path) && pathOnly(path!).length > EVENT_LIMITS.path)
    cut.push('path');
  if (isLonger(userAgent, EVENT_LIMITS.userAgent)) cut.push('userAgent');
  return cut.length === 0 ? '' : `,"truncated":${JSON.stringify(cut)}`;
}

function isLonger(value: unknown, limit: number): boolean {
  return typeof value === 'string' && value.length > limit;
}
