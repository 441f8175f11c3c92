import { compilePermissions } from '../../account/permission.ts';
import type { Commit } from '../../registry/commit.ts';
import { type AdminActor, mustCover } from '../actor.ts';
import { reading, receipt, writing } from '../change.ts';
import { type AdminContext, type Nothing, RECEIPT_WAIT, type Receipted } from '../context.ts';
import { AdminError, notFound } from '../error.ts';
import { Records } from '../records.ts';
import { approvalOf, eventsOf } from './event.ts';
import { expire } from './expire.ts';
import { approvedAs, withUsers } from './hold.ts';
import { NOTHING } from './nothing.ts';
import { digestOf, type Rehearsal, rehearse } from './rehearse.ts';
import { concernOf } from './rule.ts';
import { handsOf, identityOf } from './same-hand.ts';
import { isOver, readWaiting, UNREADABLE, WAITING_LIMITS, type Waiting } from './waiting.ts';

/** Changes that wait for a second administrator: looked at, approved, withdrawn. */

/** Without what it was asked with: what would come of it is told. */
export type WaitingView = Omit<Waiting, 'input' | 'digest'>;

export interface WaitingRef {
  /** Its id. */
  readonly approval: string;
}

export interface ApproveInput extends WaitingRef {
  readonly waitMs?: number;
}

export interface Approved extends Receipted {
  readonly approval: WaitingView;
}

/** Operations on another store, by name. */
type OperationsOn = (
  context: AdminContext,
) => Readonly<Record<string, (actor: AdminActor, input: never) => Promise<unknown>>>;

export async function listApprovals(
  { store, clock }: AdminContext,
  _actor: AdminActor,
  _input: Nothing,
): Promise<{ readonly approvals: readonly WaitingView[] }> {
  const nowMs = clock.wallMs();
  const waiting = await reading(() => readWaiting(store));
  return { approvals: waiting.filter((one) => !isOver(one, nowMs)).map(viewOf) };
}

export async function showApproval(
  context: AdminContext,
  _actor: AdminActor,
  { approval }: WaitingRef,
): Promise<{ readonly approval: WaitingView }> {
  return { approval: viewOf(await waitingOf(context, approval)) };
}

/**
 * Makes the change that was proposed, exactly as it was shown: it is worked out again, with the
 * rights of who approves and with those that the proposer has now, and where anything has changed
 * on which it was judged, nothing is done (`conflict`). One step of the store makes it, records
 * both, and ends its waiting.
 */
export async function approveChange(
  context: AdminContext,
  actor: AdminActor,
  { approval, waitMs = RECEIPT_WAIT.defaultMs }: ApproveInput,
  on: OperationsOn,
): Promise<Approved> {
  await expire(context);
  const waiting = await waitingOf(context, approval);
  if (waiting.operation === UNREADABLE)
    throw new AdminError(
      'conflict',
      `the change ${approval} cannot be read: it is damaged, or a later version has stored it; ` +
        'withdraw it, and whoever wants it proposes it anew',
    );
  await mustBeAnother(context, actor, waiting);
  await mustBeTheSame(context, await proposerOf(context, waiting), waiting, on);
  const rehearsal = await mustBeTheSame(context, actor, waiting, on);
  const commit = await commitOf(context, actor, waiting, rehearsal);
  const sentMs = context.clock.monotonicMs();
  const result = await writing({ store: context.store }, commit);
  if (!result.committed) throw changedMeanwhile(waiting, 'the records have been changed');
  const told = { approval: viewOf(waiting) };
  if (!rehearsal.takesAway) return told;
  return { ...told, revocation: await receipt(context, result, waitMs, sentMs) };
}

/** Whoever proposed it takes it back, or whoever could approve it declines. */
export async function withdrawChange(
  context: AdminContext,
  actor: AdminActor,
  { approval }: WaitingRef,
): Promise<{ readonly approval: WaitingView }> {
  await expire(context);
  const waiting = await waitingOf(context, approval);
  if (identityOf(actor) !== identityOf(waiting.proposedBy)) {
    const records = await reading(() => Records.read(context.store));
    // Of one that cannot be read nobody knows which.
    const roles =
      waiting.operation === UNREADABLE ? (context.approvals?.roles() ?? []) : waiting.roles;
    mustCover(actor, records.permissionsOf(roles), `the change ${approval}`);
  }
  const [audit, ...moreAudit] = eventsOf(context, 'change-withdrawn', actor, waiting);
  const result = await writing(context, {
    ...NOTHING,
    ...{ audit, moreAudit },
    waiting: dropping(waiting),
  });
  if (!result.committed) throw notFound('change that waits for approval', approval);
  return { approval: viewOf(waiting) };
}

function viewOf({ input: _, digest: __, ...shown }: Waiting): WaitingView {
  return shown;
}

async function waitingOf({ store, clock }: AdminContext, id: string): Promise<Waiting> {
  const found = (await reading(() => readWaiting(store))).find((one) => one.id === id);
  if (found === undefined || isOver(found, clock.wallMs()))
    throw notFound('change that waits for approval', id);
  return found;
}

function dropping({ id }: Waiting): NonNullable<Commit['waiting']> {
  return { put: [], drop: [id], atMost: WAITING_LIMITS.all };
}

/** Throws `forbidden` where who approves and who proposed may be one. */
async function mustBeAnother(
  context: AdminContext,
  actor: AdminActor,
  { proposedBy }: Waiting,
): Promise<void> {
  const [approver, proposer] = [identityOf(actor), identityOf(proposedBy)];
  if (approver === proposer)
    throw new AdminError(
      'forbidden',
      'you have proposed this yourself: another administrator must approve it',
    );
  const hands = await handsOf(context, approver);
  const others = await handsOf(context, proposer);
  if (hands === null || others === null || [...hands].some((hand) => others.has(hand)))
    throw new AdminError(
      'forbidden',
      `you and ${proposedBy.name} may be one: somebody has made the password or token of one of ` +
        'you who can act as the other as well (within the last 7 days, or it is still in use); ' +
        'another administrator must approve it',
    );
}

/** The proposer with the rights that they have now. Throws where they are let in no more. */
async function proposerOf(
  { store, clock }: AdminContext,
  { proposedBy, id }: Waiting,
): Promise<AdminActor> {
  const via = 'admin-api';
  if (proposedBy.id === null) return { ...proposedBy, via, permissions: 'store-owner' };
  return reading(async () => {
    const { account } = await store.account(proposedBy.id!);
    const isIn =
      account?.status === 'active' &&
      (account.expiresAt === null || Date.parse(account.expiresAt) > clock.wallMs());
    const records = await Records.read(store);
    const permissions = compilePermissions(records.permissionsOf(isIn ? [account.role] : []));
    if (!permissions.allows('sallyport:registry:write'))
      throw new AdminError(
        'conflict',
        `${proposedBy.name}, who proposed ${id}, may no longer administer: withdraw it, and ` +
          'whoever wants it proposes it anew',
      );
    return { ...proposedBy, via, permissions };
  });
}

/** Works the change out with these rights. Throws `conflict` where it is another one by now. */
async function mustBeTheSame(
  context: AdminContext,
  actor: AdminActor,
  waiting: Waiting,
  on: OperationsOn,
): Promise<Rehearsal> {
  const { operation, input } = waiting;
  const rehearsal = await rehearse(context, actor, (rehearsed, who) => {
    const perform = on(rehearsed)[operation];
    if (perform === undefined) throw changedMeanwhile(waiting, 'there is no such operation');
    return perform(who, input as never);
  }).catch((error: unknown) => {
    const passes = !(error instanceof AdminError) || PASSED.includes(error.code);
    throw passes ? error : changedMeanwhile(waiting, error.message);
  });
  if (digestOf(rehearsal) !== waiting.digest)
    throw changedMeanwhile(waiting, 'what it was judged on has been changed');
  return rehearsal;
}

/** Of those who have not the right, or cannot know. */
const PASSED: readonly AdminError['code'][] = ['forbidden', 'unavailable', 'conflict'];

function changedMeanwhile({ id }: Waiting, why: string): AdminError {
  return new AdminError(
    'conflict',
    `nothing was changed: ${why} since ${id} was proposed; withdraw it and propose it anew`,
  );
}

async function commitOf(
  context: AdminContext,
  actor: AdminActor,
  waiting: Waiting,
  { commit }: Rehearsal,
): Promise<Commit> {
  if (commit === null) throw changedMeanwhile(waiting, 'it has been made');
  const { users } = await reading(() => concernOf(context.store, commit, waiting.roles));
  const {
    audit,
    moreAudit = [],
    ...made
  } = approvedAs(withUsers(commit, users), approvalOf(waiting));
  const [first, ...others] = eventsOf(context, 'change-approved', actor, waiting);
  return {
    ...made,
    audit: first,
    moreAudit: [...others, audit, ...moreAudit],
    waiting: dropping(waiting),
  };
}
