import { type Approval, withApproval } from '../../audit/event/approval.ts';
import type { Commit } from '../../registry/commit.ts';
import type { ChangeContext } from '../context.ts';
import { ApprovalNeeded, concernOf } from './rule.ts';

/**
 * The commit as it may be written. Throws `ApprovalNeeded` where it concerns a protected role and
 * nobody has said that it is to be made without approval; what is said is recorded.
 */
export async function passed(
  { store, approvals }: Pick<ChangeContext, 'store' | 'approvals'>,
  commit: Commit,
): Promise<Commit> {
  if (approvals === undefined) return commit;
  const { roles, users } = await concernOf(store, commit, approvals.roles());
  const held = withUsers(commit, users);
  if (roles.length === 0) return held;
  if (approvals.isWaived !== true) throw new ApprovalNeeded(roles);
  return approvedAs(held, { id: null, proposedBy: null, roles: [...roles] });
}

/** With the approval in every event. */
export function approvedAs(commit: Commit, approval: Approval): Commit {
  const { audit, moreAudit = [] } = commit;
  const marked = (one: Commit['audit']) => ({ ...one, event: withApproval(one.event, approval) });
  return { ...commit, audit: marked(audit), moreAudit: moreAudit.map(marked) };
}

/** So that nobody joins a team between the look and the change. */
export function withUsers(commit: Commit, more: NonNullable<Commit['users']>): Commit {
  const { users = [] } = commit;
  const known = new Set(users.map(({ target }) => target));
  const added = more.filter(({ target }) => !known.has(target));
  return added.length === 0 ? commit : { ...commit, users: [...users, ...added] };
}
