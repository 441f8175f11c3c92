import { httpDate } from '../http/http-date.ts';
import type { RateStanding } from '../limits/rate-limit.ts';
import type { RefusalReason } from '../refusal.ts';
import { refusalKind } from '../refusal.ts';

/**
 * An answer of the gate's own as an HTTP message, before any protocol's framing.
 */
export interface OwnAnswer {
  readonly status: number;
  /**
   * Field lines, each with its CRLF, without framing. All of it is ours: no byte comes from the
   * request.
   */
  readonly fields: string;
  readonly body: string;
  /** Nothing more can be read from this connection. */
  readonly closes: boolean;
}

export interface AnswerFormat {
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
 * Field lines that tell a caller how it stands with its limits; beside an upstream's own they are
 * further members of the same lists.
 */
export function rateFields(rate: RateStanding | null): string {
  return rate === null ? '' : `RateLimit-Policy: ${rate.policy}\r\nRateLimit: ${rate.limit}\r\n`;
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
export function refusalAnswer(
  reason: RefusalReason,
  requestId: string,
  format: AnswerFormat,
  allow: readonly string[],
  rate: RateStanding | null = null,
  detail: string | null = null,
): OwnAnswer {
  const kind = refusalKind(reason);
  const shown = kind.publicReason ?? reason;
  const lifetime = format.errors === 'lifetime';
  let fields = `Content-Type: ${lifetime ? 'application/json' : 'application/problem+json'}\r\nCache-Control: no-store\r\nX-Request-Id: ${requestId}\r\nDate: ${httpDate()}\r\n`;
  if (kind.bearerError !== undefined) fields += challenge(format.realm, kind.bearerError);
  if (kind.status === 401 && format.acceptsBasic === true)
    fields += `WWW-Authenticate: Basic realm="${format.realm}", charset="UTF-8"\r\n`;
  if (kind.status === 405) fields += `Allow: ${allow.join(', ')}\r\n`;
  if (kind.retryAfterSeconds !== undefined) {
    fields += `Retry-After: ${kind.status === 429 && rate !== null ? rate.retryAfterSeconds : kind.retryAfterSeconds}\r\n`;
  }
  fields += rateFields(rate);
  if (kind.proxyError !== undefined)
    fields += `Proxy-Status: ${format.gate}; error=${kind.proxyError}\r\n`;
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
  return { status: kind.status, fields, body: `${body}\n`, closes: kind.closes === true };
}

/**
 * To OPTIONS that goes no further than here (RFC 9110 §9.3.7).
 *
 * @param allow the methods that callers may find at what was asked for
 */
export function optionsAnswer(
  requestId: string,
  allow: readonly string[],
  rate: RateStanding | null,
): OwnAnswer {
  const fields = `Allow: ${allow.join(', ')}\r\nCache-Control: no-store\r\nX-Request-Id: ${requestId}\r\nDate: ${httpDate()}\r\n`;
  return { status: 200, fields: fields + rateFields(rate), body: '', closes: false };
}

/** To a browser's preflight: no content. */
export function preflightAnswer(requestId: string, fields: string): OwnAnswer {
  const own = `X-Request-Id: ${requestId}\r\nDate: ${httpDate()}\r\n`;
  return { status: 204, fields: fields + own, body: '', closes: false };
}

/** RFC 6750 §3: no error code when no credentials were presented. */
function challenge(realm: string, error: string): string {
  const code = error === '' ? '' : `, error="${error}"`;
  return `WWW-Authenticate: Bearer realm="${realm}"${code}\r\n`;
}
