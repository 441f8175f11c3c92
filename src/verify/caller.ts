import { AssertionRefused } from './faults.ts';

/** Who calls, as a gate has signed it. */
export interface Caller {
  /** The account. */
  readonly id: string;
  readonly name: string;
  /** The effective role; null where the call is about several applications and roles differ. */
  readonly role: string | null;
  readonly teams: readonly string[];
  /** What the call is about; null: any, or one of `applications`. */
  readonly application: string | null;
  /** On which applications the permission holds; null where the route does not ask for `some`. */
  readonly applications: readonly string[] | null;
  /** Claim `jti`: the `assertionId` of the gate's record. Null where there is none. */
  readonly assertionId: string | null;
  /** From when on the assertion counts no more, in milliseconds since 1970. */
  readonly expiresAtMs: number;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** The request that an assertion may be bound to. */
export interface BoundRequest {
  readonly method: string;
  /** As this service got it, without query: `http://api.internal/deployments`. */
  readonly uri: string;
}

export interface Expected {
  readonly issuer: string;
  readonly audience: string;
  /** Whether it must be bound to its request. */
  readonly bound: boolean;
  readonly leewaySeconds: number;
}

type Claims = Readonly<Record<string, unknown>>;

/** Throws `AssertionRefused` for claims that are not for this service, now, and this request. */
export function callerOf(
  claims: Claims,
  expected: Expected,
  nowSeconds: number,
  request: BoundRequest | undefined,
): Caller {
  checkPlace(claims, expected);
  const { exp } = checkTime(claims, expected.leewaySeconds, nowSeconds);
  checkRequest(claims, expected.bound, request);
  const { sub, name, role = null, application = null, jti = null } = claims;
  if (typeof sub !== 'string' || sub === '' || typeof name !== 'string')
    throw new AssertionRefused('malformed', 'it names no account');
  return {
    id: sub,
    name,
    role: textOrNull(role),
    teams: textsOrNull(claims.teams) ?? [],
    application: textOrNull(application),
    applications: textsOrNull(claims.applications),
    assertionId: textOrNull(jti),
    expiresAtMs: exp * 1000,
    claims,
  };
}

function checkPlace({ iss, aud }: Claims, { issuer, audience }: Expected): void {
  if (iss !== issuer) throw new AssertionRefused('issuer-wrong', 'another issuer has signed it');
  if (aud !== audience) throw new AssertionRefused('audience-wrong', 'it is for another service');
}

function checkTime({ nbf, exp }: Claims, leeway: number, now: number): { readonly exp: number } {
  if (typeof nbf !== 'number' || typeof exp !== 'number')
    throw new AssertionRefused('malformed', 'it does not say when it counts');
  if (nbf > now + leeway) throw new AssertionRefused('too-early', 'it does not count yet');
  if (!(exp > now - leeway)) throw new AssertionRefused('expired', 'it has expired');
  return { exp };
}

function checkRequest({ htm, htu }: Claims, bound: boolean, request?: BoundRequest): void {
  if (htm === undefined && htu === undefined) {
    if (bound) throw new AssertionRefused('request-wrong', 'it is not bound to a request');
    return;
  }
  if (request === undefined)
    throw new AssertionRefused('request-wrong', 'it is bound to a request, and none was given');
  if (htm !== request.method || htu !== request.uri)
    throw new AssertionRefused('request-wrong', 'it is bound to another request');
}

function textOrNull(value: unknown): string | null {
  if (value === null || typeof value === 'string') return value;
  throw new AssertionRefused('malformed', 'one of its claims is no text');
}

function textsOrNull(value: unknown): readonly string[] | null {
  if (value === undefined) return null;
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
  throw new AssertionRefused('malformed', 'one of its claims is no list of texts');
}
