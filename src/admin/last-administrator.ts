import type { Account, AccountKind, Role } from '../account/model.ts';
import { compilePermissions, exceeds } from '../account/permission.ts';
import { turn } from '../turns.ts';
import type { AdminActor } from './actor.ts';
import type { ChangeContext } from './context.ts';
import type { Reliance } from './edit.ts';
import { AdminError } from './error.ts';
import type { Records } from './records.ts';
import { LEAVE_NONE } from './schemas/inputs.ts';

/**
 * Somebody must remain who can give back what a change takes away: administration that nobody can
 * reach any more is mended by nobody but who has the store in their hands. One rule for all ways
 * in. It counts who is let in at this moment, and by default roles alone, as everything about
 * Sallyport's own permissions does.
 *
 * The identity provider is not asked: at each sign-in the configuration says anew who administers.
 */

export { LEAVE_NONE };

export interface LeaveNone {
  readonly [LEAVE_NONE]?: boolean;
}

/** Accounts looked at for one who remains. */
const EXAMINED_MAX = 2_000;
/** Accounts looked at in one turn of the loop. */
const AT_ONCE = 50;

/** Throws `forbidden` unless it is the store's owner who says it. */
export function mayLeaveNone(actor: AdminActor, said: boolean): boolean {
  if (said && actor.permissions !== 'store-owner')
    throw new AdminError(
      'forbidden',
      'only with access to the store itself can the last administrator be removed',
    );
  return said;
}

/**
 * Throws `last-administrator`, or answers with the records that must not change for the rest to
 * hold.
 */
export async function someoneRemains(
  context: ChangeContext,
  records: Records,
  before: Account,
  after: Account | null,
): Promise<readonly Reliance[]> {
  const nowMs = context.clock.wallMs();
  const held = records.permissionsOf([before.role]);
  if (!administers(before, held, nowMs)) return [];
  const fromMs = after === null ? nowMs : heldUntilMs(records, after, held, nowMs);
  if (fromMs >= endMs(before)) return [];
  const search = { held, kind: before.kind, butAccount: before.id, butRole: null, fromMs };
  return (
    (await whoRemains(context, records, search)) ??
    refuse(`${before.name} is the last administrator with these permissions`)
  );
}

/** The same for a role that is to allow less. */
export async function someoneRemainsWithout(
  context: ChangeContext,
  records: Records,
  before: Role,
  after: Role | null,
): Promise<readonly Reliance[]> {
  const held = before.permissions;
  if (!compilePermissions(held).allows('sallyport:registry:write')) return [];
  if (after !== null && covers(after.permissions, held)) return [];
  const kinds = new Set<AccountKind>();
  for await (const { kind } of administratorsBy(context, before, context.clock.wallMs())) {
    kinds.add(kind);
    if (kind === 'user') break;
  }
  if (kinds.size === 0) return [];
  const kind = kinds.has('user') ? 'user' : 'service';
  const search = {
    held,
    kind,
    butAccount: null,
    butRole: before.name,
    fromMs: context.clock.wallMs(),
  } as const;
  return (
    (await whoRemains(context, records, search)) ??
    refuse(`no administrator would keep these permissions without the role ${before.name}`)
  );
}

function refuse(why: string): never {
  throw new AdminError(
    'last-administrator',
    `${why}; make another administrator first (on the store, the commands account, user and role do it with --leave-no-administrator)`,
  );
}

interface Search {
  /** What must be held at least. */
  readonly held: readonly string[];
  /** People are replaced by people alone: a machine's token signs nobody in. */
  readonly kind: AccountKind;
  readonly butAccount: string | null;
  readonly butRole: string | null;
  /** The moment from which somebody else is needed. */
  readonly fromMs: number;
}

/** The one who remains, with their role, as they are now; null = nobody. */
async function whoRemains(
  context: ChangeContext,
  records: Records,
  search: Search,
): Promise<readonly Reliance[] | null> {
  const nowMs = context.clock.wallMs();
  for (const role of records.roles.values()) {
    if (role.name === search.butRole || !covers(role.permissions, search.held)) continue;
    for await (const account of administratorsBy(context, role, nowMs)) {
      const isAnother =
        account.id !== search.butAccount && (search.kind === 'service' || account.kind === 'user');
      if (!isAnother || endMs(account) <= search.fromMs) continue;
      return [
        { kind: 'account', key: account.id, version: account.version },
        { kind: 'role', key: role.name, version: role.version },
      ];
    }
  }
  return null;
}

async function* administratorsBy(
  { store }: ChangeContext,
  role: Role,
  nowMs: number,
): AsyncGenerator<Account> {
  const users = await store.referencesTo(`role:${role.name}`, EXAMINED_MAX);
  for (const [index, user] of users.entries()) {
    if (index % AT_ONCE === 0) await turn();
    const { account } = await store.account(user.slice(user.indexOf(':') + 1));
    // Others use it in a team or by a grant, where it gives none of Sallyport's own permissions.
    if (
      account !== null &&
      account.role === role.name &&
      administers(account, role.permissions, nowMs)
    )
      yield account;
  }
}

function administers(account: Account, held: readonly string[], nowMs: number): boolean {
  const { status, kind, token } = account;
  return (
    status === 'active' &&
    endMs(account) > nowMs &&
    (kind === 'user' || token !== null) &&
    compilePermissions(held).allows('sallyport:registry:write')
  );
}

/** A date that cannot be read has passed. */
function endMs({ expiresAt }: Account): number {
  return expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt) || 0;
}

/** Until when an account as it is to be may administer as much as was held. */
function heldUntilMs(
  records: Records,
  after: Account,
  held: readonly string[],
  nowMs: number,
): number {
  const now = records.permissionsOf([after.role]);
  return administers(after, now, nowMs) && covers(now, held) ? endMs(after) : nowMs;
}

function covers(patterns: readonly string[], held: readonly string[]): boolean {
  return !exceeds(compilePermissions(held), compilePermissions(patterns));
}
