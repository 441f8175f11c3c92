import type {
  AccountFacts,
  CallFacts,
  DemandFacts,
  EndFacts,
  RouteFacts,
  VerdictFacts,
} from './call-facts.ts';
import { EVENT_LIMITS } from './limits.ts';
import { bounded, quoted } from './text.ts';

/*
 * Events about calls as text, field by field: each text is bounded, without tokens and quoted.
 * Whatever a field holds, it is JSON on one line. What call-event.ts writes faster says the same.
 */

export const PERMIT = ',"decision":"permit","reason":"permitted"';
export const NO_ACCOUNT = ',"account":null';

export function decisionJson(
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
    fieldJson(',"assertionId":', call.assertionId) +
    fieldJson(',"door":', call.door) +
    fieldJson(',"method":', call.method) +
    fieldJson(',"preflight":', verdict.preflight) +
    (typeof path === 'string' ? `,"path":${textJson(pathOnly(path), EVENT_LIMITS.path)}` : '') +
    numberJson(',"status":', status) +
    fieldJson(',"clientAddress":', call.clientAddress) +
    (typeof userAgent === 'string'
      ? `,"userAgent":${textJson(userAgent, EVENT_LIMITS.userAgent)}`
      : '') +
    headersJson(call.headers) +
    `,"requestId":${id}` +
    fieldJson(',"traceId":', call.traceId) +
    truncatedJson(path, userAgent) +
    '}'
  );
}

export function outcomeJson(
  head: string,
  call: CallFacts,
  verdict: VerdictFacts,
  end: EndFacts,
): string {
  const id = shortJson(call.id);
  return (
    `${head}${accountOf(verdict)}` +
    fieldJson(',"reason":', end.reason) +
    aimJson(verdict) +
    fieldJson(',"door":', call.door) +
    endJson(end) +
    `,"requestId":${id}` +
    fieldJson(',"traceId":', call.traceId) +
    '}'
  );
}

function headersJson(headers: CallFacts['headers']): string {
  if (!isObject(headers)) return '';
  const fields = Object.entries(headers).map(
    ([name, value]) => `${shortJson(name)}:${textJson(value, EVENT_LIMITS.header)}`,
  );
  return `,"headers":{${fields.join(',')}}`;
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

export function endJson(end: EndFacts): string {
  return (
    (end.status === 0 ? '' : numberJson(',"status":', end.status)) +
    numberJson(',"upstreamStatus":', end.upstreamStatus) +
    timeJson(',"durationMs":', end.durationMs) +
    timeJson(',"gateMs":', end.gateMs) +
    timeJson(',"upstreamMs":', end.upstreamMs) +
    numberJson(',"requestBytes":', end.requestBytes) +
    numberJson(',"responseBytes":', end.responseBytes) +
    fieldJson(',"assertionId":', end.laterAssertionId)
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

export function isObject<T extends object>(value: T | null | undefined): value is T {
  return typeof value === 'object' && value !== null;
}

/** @param name with its comma and colon: `,"role":` */
export function fieldJson(name: string, value: string | null | undefined): string {
  return typeof value === 'string' ? name + shortJson(value) : '';
}

export function shortJson(value: unknown): string {
  return textJson(value, EVENT_LIMITS.short);
}

function textJson(value: unknown, limit: number): string {
  return typeof value === 'string' ? quoted(bounded(value, limit)) : 'null';
}

function numberJson(name: string, value: number | null): string {
  return Number.isFinite(value) ? `${name}${value}` : '';
}

function timeJson(name: string, ms: number | null | undefined): string {
  return Number.isFinite(ms) ? name + millisecondsJson(ms!) : '';
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
