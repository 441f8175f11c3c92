import { randomUUID } from 'node:crypto';
import { withApproval } from '../../audit/event/approval.ts';
import { type Actor, changeEvent } from '../../audit/event/change-event.ts';
import type { ChangeRecord } from '../../registry/commit.ts';
import type { AdminContext } from '../context.ts';
import type { Waiting, WaitingChange } from './waiting.ts';

/** What the record says of a change that waits: one event for each record that it concerns. */
export type WaitingEvent =
  | 'change-proposed'
  | 'change-approved'
  | 'change-withdrawn'
  | 'change-expired';

export function eventsOf(
  { clock, instance }: Pick<AdminContext, 'clock' | 'instance'>,
  type: WaitingEvent,
  actor: Actor,
  waiting: Waiting,
): readonly [ChangeRecord, ...ChangeRecord[]] {
  const timeMs = clock.wallMs();
  const { id, name, kind, via } = actor;
  const event = (target: Parameters<typeof changeEvent>[0]['target']) =>
    changeEvent({
      ...{ id: randomUUID(), timeMs, type, instance, actor: { id, name, kind, via } },
      ...{ target, before: null, after: null, requestId: null, clientAddress: null },
    });
  const marked = (text: string) => withApproval(text, approvalOf(waiting));
  const events = waiting.changes.map((change): ChangeRecord => {
    const target = { kind: change.kind, id: change.id ?? change.name, name: change.name };
    return {
      event: marked(shown(event(target), change, type)),
      accounts: accountsOf(change),
    };
  });
  // What cannot be read says of no record that it concerns it.
  const none = { kind: 'registry', id: 'registry', name: 'registry' } as const;
  if (events.length === 0) return [{ event: marked(event(none)), accounts: [] }];
  return events as unknown as readonly [ChangeRecord, ...ChangeRecord[]];
}

export function approvalOf({ id, proposedBy, roles }: Waiting) {
  return { id, proposedBy: proposedBy as Actor, roles: [...roles] };
}

/** What would become of the record stands where it is asked for; the others say who settled it. */
function shown(event: string, { before, after }: WaitingChange, type: WaitingEvent): string {
  return type === 'change-proposed'
    ? JSON.stringify({ ...JSON.parse(event), before, after })
    : event;
}

function accountsOf({ kind, id }: WaitingChange): readonly string[] {
  return kind === 'account' && id !== null ? [id] : [];
}
