import { newAccountId } from '../account/id.ts';
import {
  type Account,
  type PreviousToken,
  RETIRED_MAX,
  type StoredToken,
  type TeamMembership,
} from '../account/model.ts';
import { digestsEqual, NO_DIGEST, newToken, parseToken, tokenDigest } from '../account/token.ts';
import { type AccountAnswer, type AccountRef, changeAccount } from './accounts.ts';
import type { AdminActor } from './actor.ts';
import { change } from './change.ts';
import type { AdminContext, Receipted } from './context.ts';
import { judge } from './effect.ts';
import { AdminError, invalid } from './error.ts';
import { mustMean } from './meaning.ts';
import { Records } from './records.ts';
import { type RestrictionInput, restrictionIn } from './restriction.ts';
import { NEW_SERVICE_ACCOUNT } from './schemas/inputs.ts';
import { type AccountView, viewAccount } from './views.ts';

export interface NewServiceAccount extends RestrictionInput {
  readonly name: string;
  /** The default role; `none` for accounts that live by teams and grants. */
  readonly role: string;
  readonly description?: string;
  readonly expiresAt?: string | null;
  readonly teams?: readonly TeamMembership[];
  /** A bait: as in `Account`. It stays one. */
  readonly honey?: boolean;
}

/**
 * An account together with its token: the only two answers that ever hold one are creation and
 * rotation.
 */
export interface IssuedToken extends Receipted {
  readonly account: AccountView;
  readonly token: string;
}

export function createServiceAccount(
  context: AdminContext,
  actor: AdminActor,
  input: NewServiceAccount,
): Promise<IssuedToken> {
  return change(context, actor, async () => {
    const nowMs = context.clock.wallMs();
    const records = await Records.read(context.store);
    const id = newAccountId();
    const token = newToken(id);
    const account = issuedTo({ ...readNew(input, records, nowMs), id, token: null }, token, nowMs);
    const edit = { kind: 'account', key: id, before: null, after: account } as const;
    return {
      edit,
      type: 'account-created',
      effect: await judge(context, actor, records, edit),
      reliesOn: [],
      answer: (version) => ({ account: viewAccount({ ...account, version }, nowMs), token }),
    };
  });
}

function readNew(
  input: NewServiceAccount,
  records: Records,
  nowMs: number,
): Omit<Account, 'id' | 'token'> {
  mustMean(NEW_SERVICE_ACCOUNT, input, records, nowMs);
  const { name, role, description = '', expiresAt = null, teams = [] } = input;
  const at = isoOf(nowMs);
  return {
    version: 0,
    kind: 'service',
    name,
    description,
    status: 'active',
    role,
    teams,
    grants: [],
    createdAt: at,
    updatedAt: at,
    expiresAt,
    ...restrictionIn(input),
    ...(input.honey === true ? { honey: true } : {}),
    retired: [],
    password: null,
  };
}

/** The account with this token as its only one. A bait's is among those that count no more. */
function issuedTo(account: Account, token: string, nowMs: number): Account {
  const issued: StoredToken = { digest: tokenDigest(token), createdAt: isoOf(nowMs) };
  return account.honey === true
    ? { ...account, token: null, ...retiring(account, [issued, account.token, account.previous]) }
    : { ...account, token: issued, ...retiring(account, [account.token, account.previous]) };
}

export type Rotation = AccountRef & {
  /**
   * How long the present token is let in beside the new one, in milliseconds; default 0: not at
   * all.
   */
  readonly overlapMs?: number;
};

/**
 * Issues a new token. The previous one is refused from the moment the change is stored, unless an
 * overlap is asked for; whatever was left of an earlier overlap ends now. A status or an expiry
 * that keeps the account out stays as it is. A bait gets another bait; those before it go on being
 * told of, as many as the account keeps.
 */
export function rotateToken(
  context: AdminContext,
  actor: AdminActor,
  input: Rotation,
): Promise<IssuedToken> {
  return issue(context, actor, input, 'token-rotated', mustBeService);
}

async function issue(
  context: AdminContext,
  actor: AdminActor,
  input: Rotation,
  type: 'token-rotated' | 'token-renewed',
  check: (account: Account) => void,
): Promise<IssuedToken> {
  const { overlapMs = 0 } = input;
  let issued = '';
  const { account, revocation } = await changeAccount(context, actor, input, type, (before) => {
    check(before);
    issued = newToken(before.id);
    const nowMs = context.clock.wallMs();
    if (overlapMs === 0 || before.token === null) return issuedTo(before, issued, nowMs);
    const token = { digest: tokenDigest(issued), createdAt: isoOf(nowMs) };
    const previous = { ...before.token, validUntil: isoOf(nowMs + overlapMs) };
    return { ...before, token, ...retiring(before, [before.previous]), previous };
  });
  return { account, token: issued, ...(revocation === undefined ? {} : { revocation }) };
}

export interface Renewal {
  /** The live token itself: showing it is all that is asked for. */
  readonly token: string;
  /** As for a rotation. */
  readonly overlapMs?: number;
  readonly waitMs?: number;
}

/**
 * A token renews itself: whoever holds it holds all that the new one gives, so no permission is
 * asked for. Only the live token can: a previous one, in its overlap, would put its successor out
 * of use.
 */
export async function renewToken(
  context: AdminContext,
  actor: AdminActor,
  input: Renewal,
): Promise<IssuedToken> {
  const { token, ...how } = input;
  const id = parseToken(token);
  if (id === null) throw invalid([{ field: 'token', message: 'is not a token of this kind' }]);
  const self: AdminActor = { ...actor, permissions: 'store-owner' };
  return issue(context, self, { id, ...how }, 'token-renewed', (before) => {
    mustBeService(before);
    if (digestsEqual(before.token?.digest ?? NO_DIGEST, tokenDigest(token))) return;
    throw new AdminError(
      'stale',
      'that is not the live token of its account; only that one can be renewed',
    );
  });
}

/** Ends an overlap early: only the live token is let in from then on. */
export function closeOverlap(
  context: AdminContext,
  actor: AdminActor,
  ref: AccountRef,
): Promise<AccountAnswer> {
  return changeAccount(context, actor, ref, 'overlap-closed', (account) => {
    mustBeService(account);
    return (account.previous ?? null) === null
      ? account
      : { ...account, ...retiring(account, [account.previous]) };
  });
}

function mustBeService(account: Account): void {
  if (account.kind !== 'service')
    throw new AdminError('invalid', `${account.name} is a user, and users hold no token`);
}

/**
 * The account's fields after these tokens have joined the retired ones. `previous` is what stays of
 * an overlap.
 */
export function retiring(
  account: Account,
  tokens: readonly (StoredToken | null | undefined)[],
  previous: PreviousToken | null = null,
): Pick<Account, 'previous' | 'retired'> {
  const digests = tokens.flatMap((token) => token?.digest ?? []);
  return { previous, retired: [...digests, ...account.retired].slice(0, RETIRED_MAX) };
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
