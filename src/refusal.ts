/**
 * The closed table of refusals: everything that Sallyport ever says "no" with.
 *
 * The key is the stable reason, the same word in the response body, the audit event and the metric.
 * Seven reasons are an exception towards the client only: the ways in which a presented token fails
 * all read `token-refused` outside, so that nobody learns whether a token once existed
 * (`publicReason`).
 */
interface RefusalKind {
  /** HTTP status code. */
  readonly status: number;
  /** RFC 9457 `title`: fixed per reason, safe to show to anyone. */
  readonly title: string;
  /** The reason as the client sees it, where it differs. */
  readonly publicReason?: string;
  /**
   * RFC 6750 §3 error code for `WWW-Authenticate`; the empty string means a challenge without a
   * code.
   */
  readonly bearerError?: '' | 'invalid_request' | 'invalid_token' | 'insufficient_scope';
  /** Seconds for `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** RFC 9209 `error` parameter of `Proxy-Status`. */
  readonly proxyError?: string;
  /**
   * The connection cannot be used for another request: we no longer know, or no longer want to
   * know, where it begins.
   */
  readonly closes?: true;
}

const tokenRefused = {
  status: 401,
  title: 'The token is not accepted',
  publicReason: 'token-refused',
  bearerError: 'invalid_token',
} as const;

export const REFUSALS = {
  'request-malformed': { status: 400, title: 'The request is not valid HTTP', closes: true },
  'request-ambiguous': {
    status: 400,
    title: 'The request can be read in more than one way',
    closes: true,
  },
  'target-ambiguous': {
    status: 400,
    title: 'The request target can be read in more than one way',
    closes: true,
  },
  'body-refused': { status: 400, title: 'A body is not accepted here', closes: true },

  'upgrade-refused': {
    status: 400,
    title: 'The request for another protocol cannot be met',
    closes: true,
  },

  'token-missing': { status: 401, title: 'A bearer token is required', bearerError: '' },
  'token-malformed': tokenRefused,
  'token-unknown': tokenRefused,
  'token-revoked': tokenRefused,
  'token-expired': tokenRefused,
  'account-inactive': tokenRefused,
  'token-unbound': tokenRefused,
  'address-refused': tokenRefused,

  'permission-denied': {
    status: 403,
    title: 'The account may not do this',
    bearerError: 'insufficient_scope',
  },
  'plaintext-refused': { status: 403, title: 'HTTPS is required', closes: true },

  'route-unknown': { status: 404, title: 'There is no such route' },
  'method-refused': { status: 405, title: 'The method is not allowed here' },

  'request-timeout': { status: 408, title: 'The request took too long to arrive', closes: true },
  'body-too-large': { status: 413, title: 'The request body is too large', closes: true },
  'target-too-long': { status: 414, title: 'The request target is too long', closes: true },
  'expectation-failed': { status: 417, title: 'The expectation cannot be met', closes: true },
  'host-misdirected': { status: 421, title: 'This host is not served on this connection' },
  'headers-too-large': { status: 431, title: 'The request head is too large', closes: true },

  'rate-limited': { status: 429, title: 'Too many requests', retryAfterSeconds: 1 },
  'guessing-throttled': { status: 429, title: 'Too many requests', retryAfterSeconds: 1 },

  'internal-fault': { status: 500, title: 'Something went wrong inside the gate', closes: true },
  'method-unknown': { status: 501, title: 'The method is not implemented', closes: true },
  'coding-unknown': { status: 501, title: 'The transfer coding is not implemented', closes: true },
  'version-unsupported': { status: 505, title: 'The HTTP version is not supported', closes: true },

  'upstream-unreachable': {
    status: 502,
    title: 'The upstream cannot be reached',
    proxyError: 'connection_refused',
  },
  'upstream-broken': {
    status: 502,
    title: 'The upstream gave no valid response',
    proxyError: 'http_protocol_error',
  },
  'upstream-timeout': {
    status: 504,
    title: 'The upstream took too long',
    proxyError: 'http_response_timeout',
  },

  'registry-unavailable': {
    status: 503,
    title: 'The account registry cannot be reached',
    retryAfterSeconds: 1,
  },
  'registry-foreign': {
    status: 503,
    title: 'The account registry is not the one that this gate serves',
    retryAfterSeconds: 1,
  },
  'audit-unavailable': { status: 503, title: 'The call cannot be recorded', retryAfterSeconds: 1 },
  'assertion-unavailable': {
    status: 503,
    title: 'The service cannot be told who calls',
    retryAfterSeconds: 1,
  },
  overloaded: { status: 503, title: 'The gate is busy', retryAfterSeconds: 1 },
  draining: { status: 503, title: 'The gate is shutting down', retryAfterSeconds: 1, closes: true },
} as const satisfies Record<string, RefusalKind>;

export type RefusalReason = keyof typeof REFUSALS;

/** Reasons that appear in audit and metrics only: nothing was refused. */
export type OutcomeReason = 'permitted' | 'client-aborted' | 'outcome-unknown';

export type Reason = RefusalReason | OutcomeReason;

/** The table's row for a reason, with the optional columns visible to the type checker. */
export function refusalKind(reason: RefusalReason): RefusalKind {
  return REFUSALS[reason];
}
