import { newAccountId } from '../account/id.ts';
import type { Account, TeamMembership } from '../account/model.ts';
import { newToken, tokenDigest } from '../account/token.ts';
import { type AccountAnswer, type AccountRef, changeAccount, mustHaveWrite } from './accounts.ts';
import type { AdminActor } from './actor.ts';
import { type AdminContext, change } from './change.ts';
import { AdminError } from './error.ts';
import { FIELD_LIMITS, Fields } from './fields.ts';
import { Records } from './records.ts';
import { type AccountView, viewAccount } from './views.ts';

export interface NewServiceAccount {
  readonly name: string;
  /** The default role; `none` for accounts that live by teams and grants. */
  readonly role: string;
  readonly description?: string;
  readonly expiresAt?: string | null;
  readonly teams?: readonly TeamMembership[];
}

/** An account together with its token: the only two answers that ever hold one are creation and rotation. */
export interface IssuedToken {
  readonly account: AccountView;
  readonly token: string;
}

/** Digests kept of tokens that are no longer live: they tell `token-revoked` from `token-unknown`. */
const RETIRED_DIGESTS = 8;

export function createServiceAccount(context: AdminContext, actor: AdminActor, input: NewServiceAccount): Promise<IssuedToken> {
  mustHaveWrite(actor);
  return change(context, actor, async () => {
    const nowMs = context.clock.wallMs();
    const records = await Records.read(context.store);
    const id = newAccountId();
    const token = newToken(id);
    const account: Account = {
      ...readNew(input, records, nowMs),
      id,
      token: { digest: tokenDigest(token), createdAt: isoOf(nowMs) },
    };
    records.guard(actor, null, account);
    return {
      edit: { kind: 'account', key: id, before: null, after: account },
      type: 'account-created',
      reliesOn: records.relianceOf(account),
      answer: (version) => ({ account: viewAccount({ ...account, version }, nowMs), token }),
    };
  });
}

function readNew(input: NewServiceAccount, records: Records, nowMs: number): Omit<Account, 'id' | 'token'> {
  const fields = new Fields(input, ['name', 'role', 'description', 'expiresAt', 'teams']);
  const name = fields.name('name');
  const role = fields.name('role');
  records.expectRole(fields, 'role', role);
  const description = fields.description();
  const expiresAt = fields.expiry('expiresAt', nowMs);
  const teams = fields.memberships('teams', FIELD_LIMITS.teamsPerAccount);
  teams.forEach((membership, index) => {
    records.expectTeam(fields, `teams[${index}].team`, membership.team);
    records.expectRole(fields, `teams[${index}].role`, membership.role);
  });
  fields.check();
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
    retired: [],
    password: null,
  };
}

/**
 * Issues a new token; the previous one is refused from the moment the change is stored. A status or an expiry that keeps the account out
 * stays as it is.
 */
export async function rotateToken(context: AdminContext, actor: AdminActor, ref: AccountRef): Promise<IssuedToken> {
  const fields = new Fields(ref, ['name', 'id', 'kind']);
  let issued = '';
  const answer: AccountAnswer = await changeAccount(context, actor, ref, fields, 'token-rotated', (account) => {
    if (account.kind !== 'service') throw new AdminError('invalid', `${account.name} is a user, and users hold no token`);
    issued = newToken(account.id);
    const retired = account.token === null ? account.retired : [account.token.digest, ...account.retired];
    return {
      ...account,
      token: { digest: tokenDigest(issued), createdAt: isoOf(context.clock.wallMs()) },
      retired: retired.slice(0, RETIRED_DIGESTS),
    };
  });
  return { account: answer.account, token: issued };
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
