import type { AccountKind } from '../../account/model.ts';
import type { Reason } from '../../refusal.ts';
import { bounded, isoTime, quoted } from './text.ts';

/**
 * The one constructor of events about calls. It takes facts, never a request: there is no field for
 * a header, a query or a body, so none can be written. Whatever a field holds, the answer is one
 * line of JSON.
 *
 * Field order is fixed. A field without a value is left out, except `account`, which is null for a
 * caller who is not known. Values that had to be cut are named in `truncated`.
 */

/** Limits in UTF-16 units; longer values are cut and named in `truncated`. */
export const EVENT_LIMITS = { path: 2048, userAgent: 256, short: 128 } as const;

/**
 * Who: any account record will do. The object is a cache key, so hand in the same one for the same
 * account.
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

/** One request and its verdict: exactly one such event per request. */
export interface DecisionFacts {
  /** The request id. */
  readonly id: string;
  /** Wall clock, ms since the epoch, when the verdict was reached. */
  readonly timeMs: number;
  /** `permitted`, or why not. */
  readonly reason: Reason;
  /** The authenticated account, or null. Never an account that was merely claimed. */
  readonly account: AccountFacts | null;
  readonly claimedAccountId: string | null;
  /** A token came over plain HTTP: whoever listened has it. Left out when not. */
  readonly exposed?: boolean;
  readonly tokenId: string | null;
  /** How the token was presented, where not with `Bearer`. */
  readonly scheme?: string | null;
  /** The method that a browser's preflight asked about; the gate has answered it. */
  readonly preflight?: string | null;
  /** One fixed phrase that says more than the reason. Left out when there is none. */
  readonly detail?: string | null;
  readonly route: RouteFacts | null;
  readonly application: string | null;
  /** Left out: the route and the application say it all. */
  readonly demand?: DemandFacts | null;
  /** The effective role that decided. */
  readonly role: string | null;
  readonly method: string | null;
  /** Without the query: whatever follows a `?` or `#` is dropped here too. */
  readonly path: string | null;
  /** Status of a refusal; null for a permit. */
  readonly status: number | null;
  readonly clientAddress: string | null;
  readonly userAgent: string | null;
  readonly traceId: string | null;
}

/** How a permitted call ended. */
export interface OutcomeFacts {
  /** The request id, as in the decision. */
  readonly id: string;
  readonly timeMs: number;
  /**
   * `permitted` = ended well; `client-aborted`, `outcome-unknown`, or the refusal that replaced the
   * answer (`upstream-timeout`, …).
   */
  readonly reason: Reason;
  readonly account: AccountFacts | null;
  readonly route: RouteFacts | null;
  readonly application: string | null;
  readonly demand?: DemandFacts | null;
  /** What the client was told; null when nothing was. */
  readonly status: number | null;
  /** What the upstream said; null when it said nothing. */
  readonly upstreamStatus: number | null;
  /** From the first byte of the request to the last of the answer; kept to the microsecond. */
  readonly durationMs: number;
  /** Body bytes, without framing. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly traceId: string | null;
}

/** Writes the events of one instance. `seq` is the outbox's number for the event. */
export interface EventWriter {
  decision(seq: number, facts: DecisionFacts): string;
  outcome(seq: number, facts: OutcomeFacts): string;
}

/** `instance`: name + random incarnation. */
export function createEventWriter(instance: string): EventWriter {
  const callDecision = `","type":"call","phase":"decision","instance":${quoted(instance)},"seq":`;
  const callOutcome = `","type":"call","phase":"outcome","instance":${quoted(instance)},"seq":`;
  return {
    decision: (seq, facts) => writeDecision(callDecision, seq, facts),
    outcome: (seq, facts) => writeOutcome(callOutcome, seq, facts),
  };
}

function writeDecision(head: string, seq: number, facts: DecisionFacts): string {
  const { path, userAgent } = facts;
  const id = text(facts.id, EVENT_LIMITS.short);
  const permitted = facts.reason === 'permitted';
  return (
    `{"id":${id},"time":"` +
    isoTime(facts.timeMs) +
    head +
    integer(seq) +
    accountPart(facts.account) +
    field(',"claimedAccountId":', facts.claimedAccountId) +
    (facts.exposed === true ? ',"exposed":true' : '') +
    field(',"tokenId":', facts.tokenId) +
    field(',"scheme":', facts.scheme) +
    (permitted
      ? ',"decision":"permit","reason":"permitted"'
      : `,"decision":"refusal"${field(',"reason":', facts.reason)}${field(',"detail":', facts.detail)}`) +
    routePart(facts.route, facts.demand) +
    field(',"application":', facts.application) +
    listPart(',"applications":', facts.demand?.applications) +
    field(',"role":', facts.role) +
    field(',"method":', facts.method) +
    field(',"preflight":', facts.preflight) +
    pathPart(path) +
    number(',"status":', facts.status) +
    field(',"clientAddress":', facts.clientAddress) +
    (typeof userAgent === 'string'
      ? `,"userAgent":${text(userAgent, EVENT_LIMITS.userAgent)}`
      : '') +
    `,"requestId":${id}` +
    field(',"traceId":', facts.traceId) +
    truncatedPart(path, userAgent) +
    '}'
  );
}

function writeOutcome(head: string, seq: number, facts: OutcomeFacts): string {
  const id = text(facts.id, EVENT_LIMITS.short);
  return (
    `{"id":${id},"time":"` +
    isoTime(facts.timeMs) +
    head +
    integer(seq) +
    accountPart(facts.account) +
    field(',"reason":', facts.reason) +
    routePart(facts.route, facts.demand) +
    field(',"application":', facts.application) +
    listPart(',"applications":', facts.demand?.applications) +
    number(',"status":', facts.status) +
    number(',"upstreamStatus":', facts.upstreamStatus) +
    number(',"durationMs":', toMicroseconds(facts.durationMs)) +
    number(',"requestBytes":', facts.requestBytes) +
    number(',"responseBytes":', facts.responseBytes) +
    `,"requestId":${id}` +
    field(',"traceId":', facts.traceId) +
    '}'
  );
}

function text(value: unknown, limit: number): string {
  return typeof value === 'string' ? quoted(bounded(value, limit)) : 'null';
}

/** `name` comes with its comma and colon: `,"role":`. */
function field(name: string, value: string | null | undefined): string {
  return typeof value === 'string' ? name + quoted(bounded(value, EVENT_LIMITS.short)) : '';
}

function number(name: string, value: number | null): string {
  return Number.isFinite(value) ? name + value : '';
}

function toMicroseconds(ms: number): number | null {
  return typeof ms === 'number' ? Math.round(ms * 1000) / 1000 : null;
}

function integer(value: number): string {
  return Number.isSafeInteger(value) ? String(value) : 'null';
}

/**
 * The query ends the path here whatever the caller thought: a query may hold secrets and is never
 * recorded.
 */
function pathOnly(path: string): string {
  const query = path.indexOf('?');
  const text = query === -1 ? path : path.slice(0, query);
  const fragment = text.indexOf('#');
  return fragment === -1 ? text : text.slice(0, fragment);
}

function pathPart(path: string | null): string {
  return typeof path === 'string' ? `,"path":${text(pathOnly(path), EVENT_LIMITS.path)}` : '';
}

function truncatedPart(path: string | null, userAgent: string | null): string {
  const longPath =
    typeof path === 'string' &&
    path.length > EVENT_LIMITS.path &&
    pathOnly(path).length > EVENT_LIMITS.path;
  const longAgent = typeof userAgent === 'string' && userAgent.length > EVENT_LIMITS.userAgent;
  if (!longPath && !longAgent) return '';
  return longPath && longAgent
    ? ',"truncated":["path","userAgent"]'
    : longPath
      ? ',"truncated":["path"]'
      : ',"truncated":["userAgent"]';
}

const accountParts = new WeakMap<AccountFacts, string>();
const routeParts = new WeakMap<RouteFacts, string>();

function accountPart(account: AccountFacts | null): string {
  if (typeof account !== 'object' || account === null) return ',"account":null';
  let part = accountParts.get(account);
  if (part === undefined) {
    const { id, name, kind } = account;
    part = `,"account":{"id":${text(id, 128)},"name":${text(name, 128)},"kind":${text(kind, 128)}}`;
    accountParts.set(account, part);
  }
  return part;
}

function routePart(route: RouteFacts | null, demand: DemandFacts | null = null): string {
  if (typeof route !== 'object' || route === null) return '';
  if (demand !== null) return writtenRoute(route, demand.permissions);
  let part = routeParts.get(route);
  if (part === undefined) {
    part = writtenRoute(route, []);
    routeParts.set(route, part);
  }
  return part;
}

/** @param permissions that were asked for, where the route's has variables */
function writtenRoute(route: RouteFacts, permissions: readonly string[]): string {
  const [only = null, ...others] = permissions;
  return (
    field(',"route":', route.name) +
    field(',"permission":', others.length === 0 ? (only ?? route.permission) : route.permission) +
    listPart(',"permissions":', permissions) +
    field(',"upstream":', route.upstream === '' ? null : route.upstream)
  );
}

/** One alone stands in a field of its own. */
function listPart(name: string, values: readonly string[] | null | undefined): string {
  return Array.isArray(values) && values.length > 1
    ? `${name}[${values.map((value) => text(value, EVENT_LIMITS.short)).join(',')}]`
    : '';
}
