import { newAccountId } from '../account/id.ts';
import type { Account } from '../account/model.ts';
import { hashPassword, PasswordsBusy, verifyPassword } from '../account/password.ts';
import {
  type AccountAnswer,
  type AccountRef,
  changeAccount,
  resolveAccountId,
} from './accounts.ts';
import type { AdminActor } from './actor.ts';
import { change, reading } from './change.ts';
import type { AdminContext } from './context.ts';
import { judge } from './effect.ts';
import { AdminError, invalid } from './error.ts';
import { mustMean } from './meaning.ts';
import { Records } from './records.ts';
import { NEW_USER } from './schemas/inputs.ts';
import { signedOut } from './sign-outs.ts';
import { type AccountView, viewAccount } from './views.ts';

export interface NewUser {
  readonly name: string;
  readonly role: string;
  readonly password: string;
  readonly description?: string;
  readonly expiresAt?: string | null;
}

export async function createUser(
  context: AdminContext,
  actor: AdminActor,
  input: NewUser,
): Promise<{ readonly account: AccountView }> {
  const nowMs = context.clock.wallMs();
  const unfinished = readNew(input, await reading(() => Records.read(context.store)), nowMs);
  const account: Account = {
    ...unfinished,
    password: await inTurn(() => hashPassword(input.password)),
  };
  return change(context, actor, async () => {
    const records = await Records.read(context.store);
    readNew(input, records, nowMs);
    const edit = { kind: 'account', key: account.id, before: null, after: account } as const;
    return {
      edit,
      type: 'account-created',
      effect: await judge(context, actor, records, edit),
      reliesOn: [],
      answer: (version) => ({ account: viewAccount({ ...account, version }, nowMs) }),
    };
  });
}

function readNew(input: NewUser, records: Records, nowMs: number): Account {
  mustMean(NEW_USER, input, records, nowMs);
  const { name, role, password, description = '', expiresAt = null } = input;
  mustNotBeName(password, name);
  const at = new Date(nowMs).toISOString();
  return {
    id: newAccountId(),
    version: 0,
    kind: 'user',
    name,
    description,
    status: 'active',
    role,
    teams: [],
    grants: [],
    createdAt: at,
    updatedAt: at,
    expiresAt,
    token: null,
    retired: [],
    password: null,
  };
}

/**
 * Replaces a user's password. The new one must differ: a password is set anew because the old one
 * is to count no more. Refused for whoever signs in by the identity provider: what the provider
 * gives to that person must not be had by whoever sets a password here.
 */
export async function setPassword(
  context: AdminContext,
  actor: AdminActor,
  input: AccountRef & { readonly password: string },
): Promise<AccountAnswer> {
  const { password } = input;
  if (input.name !== undefined) mustNotBeName(password, input.name);
  const current = await reading(() => currentVerifier(context, input));
  const verifier = await inTurn(() => hashPassword(password));
  if (current !== null && (await inTurn(() => verifyPassword(password, current)))) {
    throw invalid([{ field: 'password', message: 'is the current one; choose another' }]);
  }
  return changeAccount(context, actor, input, 'password-set', (account) => {
    mustTakePassword(account);
    return { ...account, password: verifier, ...signedOut(account) };
  });
}

/**
 * A person's own password, whatever else that person may do: whoever knows the current one may
 * replace it. Ends all sessions, the present one too. The caller throttles guesses at the current
 * password.
 */
export async function changeOwnPassword(
  context: AdminContext,
  actor: AdminActor,
  input: { readonly current: string; readonly password: string },
): Promise<AccountAnswer> {
  const id = mustBePerson(actor);
  const { current } = input;
  const verifier = await reading(() => currentVerifier(context, { id }));
  if (!(await inTurn(() => verifyPassword(current, verifier))))
    throw invalid([{ field: 'current', message: 'is not your current password' }]);
  return setPassword(context, ofOneself(actor), { id, kind: 'user', password: input.password });
}

/** Ends all sessions of the person who asks. */
export async function signOutEverywhere(
  context: AdminContext,
  actor: AdminActor,
  _input: object,
): Promise<AccountAnswer> {
  const ref = { id: mustBePerson(actor), kind: 'user' } as const;
  return changeAccount(context, ofOneself(actor), ref, 'sessions-ended', (account) => ({
    ...account,
    ...signedOut(account),
  }));
}

function mustBePerson(actor: AdminActor): string {
  if (actor.kind === 'user' && actor.id !== null) return actor.id;
  throw new AdminError('forbidden', 'only somebody who is signed in has sessions and a password');
}

/** Looking after one's own account needs no right to administer others. */
function ofOneself(actor: AdminActor): AdminActor {
  return { ...actor, permissions: 'store-owner' };
}

/** Throws `invalid` where there can be no password. */
async function currentVerifier(context: AdminContext, ref: AccountRef): Promise<string | null> {
  const id = await resolveAccountId(
    context.store,
    ref.id === undefined ? { name: ref.name } : { id: ref.id },
  );
  const { account } = await context.store.account(id);
  if (account === null) return null;
  mustTakePassword(account);
  return account.password;
}

function mustTakePassword({ kind, name, subject }: Account): void {
  if (kind !== 'user')
    throw new AdminError('invalid', `${name} is a service account, and those have no password`);
  if (subject !== undefined)
    throw new AdminError(
      'invalid',
      `${name} signs in by the identity provider and can have no password here`,
    );
}

function mustNotBeName(password: string, name: string): void {
  if (password.toLowerCase() === name.toLowerCase())
    throw invalid([{ field: 'password', message: 'is the name' }]);
}

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PasswordsBusy)) throw error;
    throw new AdminError(
      'unavailable',
      'too many passwords are being checked at this moment; try again',
      { cause: error },
    );
  }
}
