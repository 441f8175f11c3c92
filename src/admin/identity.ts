import { newAccountId } from '../account/id.ts';
import type { Account } from '../account/model.ts';
import type { AdminActor } from './actor.ts';
import { change, type Plan, reading } from './change.ts';
import type { AdminContext } from './context.ts';
import { judge } from './effect.ts';
import { AdminError } from './error.ts';
import { mustMean } from './meaning.ts';
import { Records } from './records.ts';
import { VOUCHED_PERSON } from './schemas/inputs.ts';
import { endingSessions, signedOut } from './sign-outs.ts';
import { type AccountView, viewAccount } from './views.ts';

/** Somebody whom an identity provider vouches for. */
export interface VouchedPerson {
  readonly name: string;
  /**
   * `issuer#sub`: what the provider promises never to give to somebody else (OpenID Connect Core
   * §5.7). Names it may.
   */
  readonly subject: string;
  /** The role that the configuration gives to a group of theirs. */
  readonly role: string;
}

/**
 * Who makes these changes: the configuration decides about roles, so "nobody beyond their own" has
 * nobody to ask about.
 */
export const IDENTITY_ACTOR: AdminActor = {
  id: null,
  name: 'identity-provider',
  kind: 'system',
  via: 'console',
  permissions: 'store-owner',
};

/**
 * The user account of somebody who signs in by the identity provider: made at the first time,
 * without a password, and given the mapped role at each; a role that may do more ends the sessions
 * from before. A password that the record holds all the same is removed. An account that was not
 * made for this very subject is never handed over, whatever its name: throws `name-taken`. One that
 * is not active stays as it is.
 */
export async function admitPerson(
  context: AdminContext,
  actor: AdminActor,
  person: VouchedPerson,
): Promise<{ readonly account: AccountView }> {
  const plan = async (): Promise<Plan<{ readonly account: AccountView }>> => {
    const records = await Records.read(context.store);
    mustMean(VOUCHED_PERSON, person, records, context.clock.wallMs());
    const before = await context.store.accountByName(person.name);
    if (before !== null && !isTheirs(before, person)) {
      throw new AdminError(
        'name-taken',
        `the name ${JSON.stringify(person.name)} belongs to an account that is not theirs`,
      );
    }
    const nowMs = context.clock.wallMs();
    const isAsItIs =
      before !== null &&
      (before.status !== 'active' || (before.role === person.role && before.password === null));
    const after =
      before === null ? newPerson(person, nowMs) : admitted(before, person, records, nowMs);
    const edit = { kind: 'account', key: after.id, before, after } as const;
    return {
      edit: isAsItIs ? null : edit,
      type: before === null ? 'account-created' : 'account-changed',
      effect: await judge(context, actor, records, edit),
      reliesOn: [],
      answer: (version) => ({
        account: viewAccount(isAsItIs ? before : { ...after, version }, nowMs),
      }),
    };
  };
  // Whoever has just lost a role waits for no receipt: each page of theirs asks the registry anew.
  // The configuration says who gets which role, and whoever writes that is above approvals.
  const { approvals: _, ...unheld } = context;
  const attempt = () => change(unheld, actor, plan, 0);
  try {
    return await attempt();
  } catch (error) {
    // The same person, twice at once for the first time: the account that the other one has made is
    // theirs.
    if (!(error instanceof AdminError) || error.code !== 'name-taken') throw error;
    const account = await reading(() => context.store.accountByName(person.name));
    if (account === null || !isTheirs(account, person)) throw error;
    return attempt();
  }
}

/**
 * A record without a subject belongs to nobody at a provider: neither a machine nor somebody with a
 * password is taken over by name.
 */
function isTheirs(account: Account, { subject }: VouchedPerson): boolean {
  return account.kind === 'user' && account.subject === subject;
}

function admitted(
  before: Account,
  { role }: VouchedPerson,
  records: Records,
  nowMs: number,
): Account {
  const after: Account = { ...before, role, password: null, updatedAt: isoOf(nowMs) };
  return before.password === null
    ? endingSessions(before, after, records)
    : { ...after, ...signedOut(before) };
}

function newPerson({ name, subject, role }: VouchedPerson, nowMs: number): Account {
  return {
    id: newAccountId(),
    version: 0,
    kind: 'user',
    name,
    description: '',
    status: 'active',
    role,
    teams: [],
    grants: [],
    createdAt: isoOf(nowMs),
    updatedAt: isoOf(nowMs),
    expiresAt: null,
    token: null,
    retired: [],
    password: null,
    subject,
  };
}

function isoOf(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
