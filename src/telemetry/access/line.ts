import { withoutSecrets } from '../redact.ts';

/** One call that has ended, as far as the access log tells of it. */
export interface AccessFacts {
  /** Of the request, as the record and `X-Request-Id` have it. */
  readonly id: string;
  readonly traceId: string | null;
  /** In the form that the record holds; null: in none. */
  readonly clientAddress: string | null;
  /** Null: what came could not be read as a request. */
  readonly method: string | null;
  /** Without the query, which may hold anything. */
  readonly path: string | null;
  /** By which it came, as the record has it; null: the proxied APIs by HTTP/1.1. */
  readonly door: string | null;
  /** Of HTTP. */
  readonly version: '1.0' | '1.1' | '2' | null;
  readonly userAgent: string | null;
  readonly upstreamStatus: number | null;
}

/** What was measured of it. */
export interface AccessMeasure {
  readonly route: { readonly name: string } | null;
  /** 0 when nothing was answered. */
  readonly status: number;
  readonly reason: string;
  readonly durationMs: number;
  readonly overheadMs: number;
  readonly upstreamMs: number | null;
  /** Content; null: it was not counted. */
  readonly requestBytes: number | null;
  readonly responseBytes: number | null;
  readonly account: string | null;
}

/** @param wallMs when the call ended */
export type FormatAccess = (wallMs: number, facts: AccessFacts, measure: AccessMeasure) => string;

/** One JSON object. What there is not is null. */
export const jsonLine: FormatAccess = (wallMs, facts, measure) =>
  `${JSON.stringify({
    time: new Date(wallMs).toISOString(),
    requestId: facts.id,
    traceId: facts.traceId,
    clientAddress: facts.clientAddress,
    door: facts.door ?? 'http1',
    account: measure.account,
    method: cleaned(facts.method),
    path: cleaned(facts.path),
    version: facts.version,
    route: measure.route?.name ?? null,
    status: measure.status,
    reason: measure.reason,
    upstreamStatus: facts.upstreamStatus,
    durationMs: rounded(measure.durationMs),
    overheadMs: rounded(measure.overheadMs),
    upstreamMs: measure.upstreamMs === null ? null : rounded(measure.upstreamMs),
    requestBytes: measure.requestBytes,
    responseBytes: measure.responseBytes,
    userAgent: cleaned(facts.userAgent),
  })}\n`;

/**
 * As Apache and nginx write it: client, name of the account, time, request line, status, bytes of
 * the response, no referrer, user agent.
 */
export const combinedLine: FormatAccess = (wallMs, facts, { account, status, responseBytes }) => {
  const { method, path, version, userAgent } = facts;
  const request =
    method === null ? '-' : `${quotable(method)} ${quotable(path)} ${HTTP[version ?? '1.1']}`;
  return (
    `${facts.clientAddress ?? '-'} - ${account ?? '-'} [${clfTime(wallMs)}] "${request}" ` +
    `${status === 0 ? '-' : status} ${responseBytes ?? '-'} "-" "${quotable(userAgent)}"\n`
  );
};

const HTTP = { '1.0': 'HTTP/1.0', '1.1': 'HTTP/1.1', '2': 'HTTP/2.0' } as const;

function cleaned(text: string | null): string | null {
  return text === null ? null : withoutSecrets(text);
}

/** With escapes in place of what could end the quotes or the line, as nginx has it. */
function quotable(text: string | null): string {
  return (cleaned(text) ?? '-').replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    /[\u0000-\u001f"\\\u007f-\uffff]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`,
  );
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** `29/Nov/2026:12:27:13 +0000` */
function clfTime(wallMs: number): string {
  const iso = new Date(wallMs).toISOString();
  return `${iso.slice(8, 10)}/${MONTHS[Number(iso.slice(5, 7)) - 1]}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`;
}
