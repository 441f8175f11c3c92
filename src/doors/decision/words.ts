import type { Principal } from '../../account/principal.ts';
import { tokenId } from '../../account/token.ts';
import { permitResponse, refusalOf } from '../../calls/own-response.ts';
import type { VerdictWords } from '../../calls/port.ts';
import type { Permit } from '../../decision/verdict.ts';
import { wholeIdentity } from '../../forwarding/identity-fields.ts';
import type { OwnResponse } from '../../http/outgoing.ts';
import type { RefusalReason } from '../../refusal.ts';

/**
 * What a proxy is told: 200 with every `X-Account-*` name there is, or the refusal as its client
 * would have got it from the gate itself.
 */
export const PROXY_WORDS: VerdictWords = {
  permitted: (permit, requestId, assertion) =>
    permitResponse(requestId, wholeIdentity(permit, assertion), permit.rate),
  refused: (verdict, reason, requestId, format) =>
    onKeptConnection(refusalOf(verdict, reason, requestId, format), reason),
};

/** What a program is told: the same, and in JSON. */
export const PROGRAM_WORDS: VerdictWords = {
  permitted(permit, requestId, assertion) {
    const facts = wholeIdentity(permit, assertion).add('Content-Type', 'application/json');
    const body = JSON.stringify({
      permitted: true,
      reason: 'permitted',
      ...factsOf(permit),
      requestId,
    });
    return { ...permitResponse(requestId, facts, permit.rate), body: `${body}\n` };
  },
  refused(verdict, reason, requestId, format) {
    const own = refusalOf(verdict, reason, requestId, format, 'problem');
    const body = JSON.stringify({ permitted: false, ...JSON.parse(own.body) });
    return onKeptConnection({ ...own, body: `${body}\n` }, reason);
  },
};

function factsOf({ account: principal, role, application, tokenId: shown }: Permit) {
  const account = principal?.account ?? null;
  return {
    account: account === null ? null : { id: account.id, name: account.name, kind: account.kind },
    role: account === null ? null : role,
    teams: (account?.teams ?? []).map(({ team }) => team),
    application,
    expiresAt: principal === null ? null : expiryOf(principal, shown),
  };
}

/**
 * When the token ends: with its account, or before it in the overlap of a rotation; null = never.
 */
function expiryOf(
  { liveDigest, previousUntilMs, expiresAtMs }: Principal,
  shown: string | null,
): string | null {
  const overlapMs = shown === tokenId(liveDigest) ? Number.POSITIVE_INFINITY : previousUntilMs;
  const endMs = Math.min(expiresAtMs ?? Number.POSITIVE_INFINITY, overlapMs);
  return endMs === Number.POSITIVE_INFINITY ? null : new Date(endMs).toISOString();
}

/** What ends the connection for a reason that is not the client's whom it is about. */
const ENDS: readonly RefusalReason[] = ['plaintext-refused', 'draining', 'internal-fault'];

/**
 * Faults of a client do not close the connection of the proxy that asks about it: others use it,
 * and it is in order.
 */
function onKeptConnection(own: OwnResponse, reason: RefusalReason): OwnResponse {
  return { ...own, closes: own.closes && ENDS.includes(reason) };
}
