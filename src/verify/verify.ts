/**
 * `sallyport/verify`: for services behind a gate. Needs nothing but Node; docs/ASSERTION.md says
 * what an assertion promises.
 */
import type { IncomingMessage } from 'node:http';
import { provenClaims, readAssertion } from './assertion.ts';
import { type BoundRequest, type Caller, callerOf } from './caller.ts';
import { KeySource, type Keys } from './key-source.ts';

export type { BoundRequest, Caller } from './caller.ts';
export {
  AssertionRefused,
  IdentityMalformed,
  KeysUnavailable,
  type RefusalReason,
} from './faults.ts';
export { type HeaderSource, type Identity, readIdentity } from './identity.ts';
export type { KeySet } from './key-set.ts';
export type { Keys } from './key-source.ts';

export interface VerifierOptions {
  readonly keys: Keys;
  /** The gate's `assertion.issuer`. */
  readonly issuer: string;
  /** This service: the `audience` of its upstream. */
  readonly audience: string;
  /** Whether only assertions that are bound to their request are taken (`bind: request`). */
  readonly bound?: boolean;
  /** How far clocks may differ, in seconds: 0 to 60, default 5. */
  readonly leewaySeconds?: number;
}

export interface Verifier {
  /**
   * Says who calls. Throws `AssertionRefused` (401) where nobody vouches for it, and
   * `KeysUnavailable` (503) where that cannot be known now.
   *
   * @param assertion the value of `X-Account-Assertion`
   * @param request needed where the assertion may be bound to one
   */
  verify(
    assertion: string | readonly string[] | null | undefined,
    request?: BoundRequest,
  ): Promise<Caller>;
}

/** One for the life of the service: it keeps the keys. Throws `TypeError` for wrong options. */
export function createVerifier(options: VerifierOptions): Verifier {
  const { keys, issuer, audience, bound = false, leewaySeconds = 5 } = options;
  if (
    typeof issuer !== 'string' ||
    issuer === '' ||
    typeof audience !== 'string' ||
    audience === ''
  )
    throw new TypeError('issuer and audience must be given: others are signed by the same keys');
  if (!(leewaySeconds >= 0 && leewaySeconds <= 60))
    throw new TypeError('leewaySeconds must be from 0 to 60');
  const source = new KeySource(keys);
  const expected = { issuer, audience, bound, leewaySeconds };
  return {
    async verify(assertion, request) {
      const read = readAssertion(assertion);
      const claims = provenClaims(read, await source.find(read.kid));
      return callerOf(claims, expected, Date.now() / 1000, request);
    },
  };
}

/**
 * The request as a gate binds assertions to it: scheme of the connection, `Host`, path.
 *
 * @param scheme `https` where the gate speaks TLS to the service; default: what the socket says
 */
export function requestOf(
  message: Pick<IncomingMessage, 'method' | 'url' | 'headers' | 'socket'>,
  scheme: 'http' | 'https' = 'encrypted' in message.socket ? 'https' : 'http',
): BoundRequest {
  const { method = '', url = '', headers } = message;
  return { method, uri: `${scheme}://${headers.host ?? ''}${url.split('?', 1)[0]}` };
}
