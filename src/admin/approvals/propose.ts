import type { WaitingEdit } from '../../registry/commit.ts';
import type { AdminActor } from '../actor.ts';
import { reading, writing } from '../change.ts';
import type { AdminContext } from '../context.ts';
import { AdminError } from '../error.ts';
import { eventsOf } from './event.ts';
import { expire } from './expire.ts';
import { NOTHING } from './nothing.ts';
import { changesOf, digestOf, type Perform, rehearse } from './rehearse.ts';
import { type ApprovalNeeded, plural } from './rule.ts';
import { identityOf } from './same-hand.ts';
import {
  encodeWaiting,
  newWaitingId,
  proposerText,
  readWaiting,
  WAITING_LIMITS,
  type Waiting,
} from './waiting.ts';

/** Proposals that are made anew because others were faster. */
const ATTEMPTS = 5;

/** Of an input, what says how a change goes about and not what it is. */
const HOW = ['waitMs', 'plan', 'preview'];

/**
 * Lets an operation wait for approval, that was refused for want of it: what was asked for, and
 * what would come of it, judged by the rights of who asks. Answers with the `awaits-approval` that
 * they are told. Asked for a second time, it is the same that waits.
 */
export async function propose(
  context: AdminContext,
  actor: AdminActor,
  operation: string,
  input: object,
  perform: Perform,
  { roles }: ApprovalNeeded,
): Promise<AdminError> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    await expire(context);
    const waiting = await proposalOf(context, actor, operation, input, perform, roles);
    const others = await reading(() => readWaiting(context.store));
    const same = others.find((one) => isSame(one, waiting));
    if (same !== undefined) return awaits(same);
    mustHaveRoom(others, actor);
    if (await store(context, actor, waiting)) return awaits(waiting);
  }
  throw new AdminError('conflict', 'others keep changing what waits for approval; try again');
}

async function proposalOf(
  context: AdminContext,
  { id, name, kind, via, ...actor }: AdminActor,
  operation: string,
  input: object,
  perform: Perform,
  roles: readonly string[],
): Promise<Waiting> {
  const rehearsal = await rehearse(context, { id, name, kind, via, ...actor }, perform);
  const nowMs = context.clock.wallMs();
  const said = Object.entries(input).filter(([field]) => !HOW.includes(field));
  return {
    id: newWaitingId(),
    operation,
    input: Object.fromEntries(said),
    proposedBy: { id, name, kind, via },
    proposedAt: isoOf(nowMs),
    expiresAt: isoOf(nowMs + context.approvals!.lifetimeMs()),
    roles,
    changes: changesOf(rehearsal),
    digest: digestOf(rehearsal),
  };
}

function isSame(one: Waiting, other: Waiting): boolean {
  return (
    one.operation === other.operation &&
    one.digest === other.digest &&
    identityOf(one.proposedBy) === identityOf(other.proposedBy)
  );
}

function mustHaveRoom(waiting: readonly Waiting[], actor: AdminActor): void {
  const { all, each } = WAITING_LIMITS;
  const own = waiting.filter(({ proposedBy }) => identityOf(proposedBy) === identityOf(actor));
  const what =
    own.length >= each
      ? `${each} changes of yours wait for approval already`
      : waiting.length >= all
        ? `${all} changes wait for approval already`
        : null;
  if (what !== null)
    throw new AdminError('conflict', `${what}: approve or withdraw some of them first`);
}

async function store(context: AdminContext, actor: AdminActor, waiting: Waiting): Promise<boolean> {
  const stored = encodeWaiting(waiting);
  const { characters, changes } = WAITING_LIMITS;
  if (stored.text.length > characters || waiting.changes.length > changes)
    throw new AdminError(
      'invalid',
      'the change is too large to wait for approval: make it in several parts',
    );
  const [audit, ...moreAudit] = eventsOf(context, 'change-proposed', actor, waiting);
  const result = await writing(context, {
    ...NOTHING,
    ...{ audit, moreAudit },
    waiting: { put: [stored], drop: [], atMost: WAITING_LIMITS.all, each: ofProposer(waiting) },
  });
  return result.committed;
}

/** Those of one proposer, counted by the step that puts another: many may ask at once. */
function ofProposer(waiting: Waiting): NonNullable<WaitingEdit['each']> {
  return { holds: proposerText(waiting), atMost: WAITING_LIMITS.each };
}

function awaits({ id, roles, expiresAt }: Waiting): AdminError {
  return new AdminError(
    'awaits-approval',
    `nothing is changed yet: this concerns the protected ${plural('role', roles)} ` +
      `${roles.join(', ')}, and waits as ${id} until ${expiresAt} for another administrator to ` +
      'approve it',
    { approval: id },
  );
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
