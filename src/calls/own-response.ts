import type { Verdict } from '../decision/verdict.ts';
import { Fields } from '../http/fields.ts';
import { httpDate } from '../http/http-date.ts';
import type { OwnResponse } from '../http/outgoing.ts';
import type { RateStanding } from '../limits/rate-limit.ts';
import type { RefusalReason } from '../refusal.ts';
import { refusalKind } from '../refusal.ts';

export interface ResponseFormat {
  /** RFC 9457 problem details, or the error shape of the LifeTime API. */
  readonly errors: 'problem' | 'lifetime';
  /** Realm of the challenge (RFC 9110 §11.5). */
  readonly realm: string;
  /** Name of this gate in `Proxy-Status`. */
  readonly gate: string;
  /** The route takes the token as a password, too, and challenges for it (RFC 7617 §2). */
  readonly acceptsBasic?: boolean;
}

/**
 * Tells a caller how it stands with its limits; beside an upstream's own these are further members
 * of the same lists.
 */
export function addRate(fields: Fields, rate: RateStanding | null): void {
  if (rate !== null) fields.add('RateLimit-Policy', rate.policy).add('RateLimit', rate.limit);
}

/** What every response of the gate's own says. */
function ownFields(requestId: string): Fields {
  return new Fields()
    .add('Cache-Control', 'no-store')
    .add('X-Request-Id', requestId)
    .add('Date', httpDate());
}

/**
 * A refusal. The one place where reasons become words for the client.
 *
 * @param allow methods for 405 (RFC 9110 §15.5.6: the field is required, an empty list is a valid
 * value)
 * @param rate for whoever is covered by a limit, whatever is refused; says when to try again if the
 * limit is why
 * @param detail one fixed phrase that says more than the title
 */
export function refusalResponse(
  reason: RefusalReason,
  requestId: string,
  format: ResponseFormat,
  allow: readonly string[],
  rate: RateStanding | null = null,
  detail: string | null = null,
): OwnResponse {
  const kind = refusalKind(reason);
  const shown = kind.publicReason ?? reason;
  const lifetime = format.errors === 'lifetime';
  const fields = ownFields(requestId);
  fields.add('Content-Type', lifetime ? 'application/json' : 'application/problem+json');
  if (kind.bearerError !== undefined)
    fields.add('WWW-Authenticate', challenge(format.realm, kind.bearerError));
  if (kind.status === 401 && format.acceptsBasic === true)
    fields.add('WWW-Authenticate', `Basic realm="${format.realm}", charset="UTF-8"`);
  // RFC 6455 §4.4: what we speak.
  if (reason === 'upgrade-refused') fields.add('Sec-WebSocket-Version', '13');
  if (kind.status === 405) fields.add('Allow', allow.join(', '));
  if (kind.retryAfterSeconds !== undefined) {
    const limited = kind.status === 429 && rate !== null;
    fields.add('Retry-After', `${limited ? rate.retryAfterSeconds : kind.retryAfterSeconds}`);
  }
  addRate(fields, rate);
  if (kind.proxyError !== undefined)
    fields.add('Proxy-Status', `${format.gate}; error=${kind.proxyError}`);
  const body = lifetime
    ? JSON.stringify({
        Errors: [
          `${kind.title}${detail === null ? '' : `: ${detail}`} (${shown}, request ${requestId})`,
        ],
        StatusCode: kind.status,
      })
    : JSON.stringify({
        type: `urn:sallyport:refusal:${shown}`,
        title: kind.title,
        status: kind.status,
        ...(detail === null ? {} : { detail }),
        reason: shown,
        requestId,
      });
  const refused = { reason: shown, title: kind.title, detail };
  return { status: kind.status, fields, body: `${body}\n`, closes: kind.closes === true, refused };
}

/**
 * A refusal of a call, in the words of its route.
 *
 * @param reason another one than was decided where something else came in between
 * @param errors in another form than the route wants
 */
export function refusalOf(
  verdict: Verdict,
  reason: RefusalReason,
  requestId: string,
  format: ResponseFormat,
  errors: ResponseFormat['errors'] = verdict.route?.errors ?? format.errors,
): OwnResponse {
  const { route } = verdict;
  const isDecided = !verdict.permitted && verdict.reason === reason;
  return refusalResponse(
    reason,
    requestId,
    {
      ...format,
      errors,
      acceptsBasic: route?.acceptBasic ?? false,
    },
    verdict.permitted ? [] : verdict.allow,
    verdict.rate,
    isDecided ? verdict.detail : null,
  );
}

/**
 * To OPTIONS that goes no further than here (RFC 9110 §9.3.7).
 *
 * @param allow the methods that callers may find at what was asked for
 */
export function optionsResponse(
  requestId: string,
  allow: readonly string[],
  rate: RateStanding | null,
): OwnResponse {
  const fields = ownFields(requestId).add('Allow', allow.join(', '));
  addRate(fields, rate);
  return { status: 200, fields, body: '', closes: false };
}

/** To a browser's preflight: no content. */
export function preflightResponse(requestId: string, fields: Fields): OwnResponse {
  fields.add('X-Request-Id', requestId).add('Date', httpDate());
  return { status: 204, fields, body: '', closes: false };
}

/**
 * To whoever asked whether a call may be made: yes.
 *
 * @param facts about its caller
 */
export function permitResponse(
  requestId: string,
  facts: Fields,
  rate: RateStanding | null,
): OwnResponse {
  const fields = ownFields(requestId).addAll(facts);
  addRate(fields, rate);
  return { status: 200, fields, body: '', closes: false };
}

/** What everybody may have, and keep for a while. */
export function publishedResponse(
  requestId: string,
  said: Readonly<Record<string, string>>,
  body: string,
): OwnResponse {
  const fields = new Fields();
  for (const [name, value] of Object.entries(said)) fields.add(name, value);
  fields.add('X-Request-Id', requestId).add('Date', httpDate());
  return { status: 200, fields, body, closes: false };
}

/** In JSON, for whoever asked for it. */
export function jsonResponse(
  requestId: string,
  content: object,
  rate: RateStanding | null,
): OwnResponse {
  const fields = ownFields(requestId).add('Content-Type', 'application/json');
  addRate(fields, rate);
  return { status: 200, fields, body: `${JSON.stringify(content)}\n`, closes: false };
}

/** RFC 6750 §3: no error code when no credentials were presented. */
function challenge(realm: string, error: string): string {
  const code = error === '' ? '' : `, error="${error}"`;
  return `Bearer realm="${realm}"${code}`;
}
