import type { PermissionSet } from '../account/permission.ts';
import { compilePermissions, exceeds, type OwnPermission } from '../account/permission.ts';
import type { Actor } from '../audit/event/change-event.ts';
import { AdminError } from './error.ts';
import { printable } from './faults.ts';

/**
 * Who asks, and what they may do. Whoever can write the store itself is above permissions: no rule
 * of ours would hold them.
 */
export interface AdminActor extends Actor {
  readonly permissions: PermissionSet | 'store-owner';
  /** Aborted when they have left, where that is known: nobody waits for an answer any more. */
  readonly left?: AbortSignal;
}

/** Somebody with the store in their hands. `name`: the operating system's user name. */
export function storeOwner(name: string, via: Actor['via']): AdminActor {
  return {
    id: null,
    name: printable(name === '' ? 'unknown' : name),
    kind: 'operator',
    via,
    permissions: 'store-owner',
  };
}

/**
 * Asked by long readings before each piece, and by nothing that changes anything: throws
 * `unavailable` where whoever asked has left.
 */
export function mustBeThere({ left }: Pick<AdminActor, 'left'>): void {
  if (left?.aborted === true)
    throw new AdminError('unavailable', 'whoever asked has left before the answer');
}

/** Throws `forbidden` unless the actor has one of Sallyport's own permissions. */
export function mustHave(actor: AdminActor, permission: OwnPermission): void {
  if (actor.permissions === 'store-owner' || actor.permissions.allows(permission)) return;
  throw new AdminError('forbidden', lackWords(actor, permission));
}

/** Who may not, and what it would take. */
export function lackWords({ name }: Pick<Actor, 'name'>, permission: OwnPermission): string {
  return `${name} lacks the permission ${permission}, which this needs`;
}

/**
 * Nobody beyond their own: throws `forbidden` when the patterns, taken together, reach anything
 * that the actor may not do. Asked about a record before and after each change, so that nobody can
 * raise themselves by way of another account, and nobody can touch a stronger one.
 */
export function mustCover(actor: AdminActor, patterns: readonly string[], what: string): void {
  if (
    actor.permissions === 'store-owner' ||
    !exceeds(compilePermissions(patterns), actor.permissions)
  )
    return;
  throw new AdminError(
    'forbidden',
    `${what} may do more than you; only somebody who may do as much can change that`,
  );
}
