import type { RefusalReason } from '../../src/refusal.ts';

/**
 * What HTTP allows and this gate refuses all the same: each rule with the answer it gives, and why
 * it stands. The tests hold the list in both directions: a valid row that is refused must stand
 * here, and a row that stands here must be refused, by its rule.
 */
export const RULES = {
  'nine-methods': {
    reason: 'method-unknown',
    why: 'routes name methods; what none can name is not let in',
  },
  'origin-form-only': {
    reason: 'target-ambiguous',
    why: 'an absolute target and Host can name two servers',
  },
  'no-empty-segment': {
    reason: 'target-ambiguous',
    why: 'some servers merge slashes, others do not',
  },
  'host-names-a-server': {
    reason: 'request-malformed',
    why: 'Host is a name or an address, perhaps with a port',
  },
  'head-within-16-kib': {
    reason: 'headers-too-large',
    why: 'limits.headBytes, here at its default; the row is larger with a token in it',
  },
  'no-body-unless-the-route-says-so': {
    reason: 'body-refused',
    why: 'a server that does not look for a body there takes it for the next request',
  },
  'plain-field-names': {
    reason: 'request-malformed',
    why: 'names outside [A-Za-z0-9-] can be folded into names of ours',
  },
} as const satisfies Record<string, { readonly reason: RefusalReason; readonly why: string }>;

export type Rule = keyof typeof RULES;

export const REFUSED_VALID_ROWS: Readonly<Record<string, Rule>> = {
  'llhttp/method#1+host': 'nine-methods',
  'llhttp/method#7': 'nine-methods',
  'llhttp/method#8': 'nine-methods',
  'llhttp/method#9': 'nine-methods',
  'llhttp/method#10': 'nine-methods',
  'llhttp/method#11': 'nine-methods',
  'llhttp/method#16': 'nine-methods',
  'llhttp/sample#3': 'host-names-a-server',
  'llhttp/sample#4': 'host-names-a-server',
  'gunicorn/valid/002': 'host-names-a-server',
  'gunicorn/valid/003': 'host-names-a-server',
  'llhttp/uri#3+host': 'origin-form-only',
  'llhttp/uri#4+host': 'origin-form-only',
  'llhttp/uri#6+host': 'origin-form-only',
  'llhttp/uri#10+host': 'origin-form-only',
  'gunicorn/valid/rfc9112_target_absolute_01': 'origin-form-only',
  'gunicorn/valid/rfc9112_target_absolute_https_01': 'origin-form-only',
  'gunicorn/valid/rfc9112_target_absolute_ipv6_01': 'origin-form-only',
  'gunicorn/valid/rfc9112_target_absolute_userinfo_01': 'origin-form-only',
  'gunicorn/valid/100+host': 'no-empty-segment',
  'gunicorn/invalid/chunked_07+host': 'plain-field-names',
  'gunicorn/valid/rfc9110_field_name_special_chars_01': 'plain-field-names',
  'gunicorn/valid/024': 'head-within-16-kib',
  'llhttp/content-length#9': 'no-body-unless-the-route-says-so',
  'gunicorn/valid/008': 'no-body-unless-the-route-says-so',
  'gunicorn/valid/020': 'no-body-unless-the-route-says-so',
  'gunicorn/valid/rfc9110_body_framing_get_cl_nonzero_01': 'no-body-unless-the-route-says-so',
};

/** Valid rows that are about the gate itself: a known caller is answered, and nothing goes on. */
export const ANSWERED_VALID_ROWS: ReadonlySet<string> = new Set([
  'gunicorn/valid/rfc9112_target_asterisk_options_01',
]);
