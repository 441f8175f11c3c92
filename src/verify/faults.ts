/** Why an assertion is not taken. `missing`: none came, as with calls of public routes. */
export type RefusalReason =
  | 'missing'
  | 'malformed'
  | 'key-unknown'
  | 'signature-wrong'
  | 'issuer-wrong'
  | 'audience-wrong'
  | 'too-early'
  | 'expired'
  | 'request-wrong';

/**
 * Nobody vouches for the caller: respond with 401. The message holds no part of the assertion, so
 * it may be logged; it is not for the caller.
 */
export class AssertionRefused extends Error {
  override readonly name = 'AssertionRefused';
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/**
 * Whether somebody vouches for the caller cannot be known now: respond with 503, never with 401.
 */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

/** Fields that no gate has set: the request did not come through one. Respond with 400. */
export class IdentityMalformed extends Error {
  override readonly name = 'IdentityMalformed';
}
