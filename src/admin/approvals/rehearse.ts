import { hash } from 'node:crypto';
import { shownRecord } from '../../audit/event/change-event.ts';
import type { Commit } from '../../registry/commit.ts';
import type { AdminActor } from '../actor.ts';
import type { AdminContext } from '../context.ts';
import type { Edit } from '../edit.ts';
import { joinedCommit } from '../joined-commit.ts';
import { type Rehearsed, rehearsalOf } from '../rehearsal.ts';
import type { WaitingChange } from './waiting.ts';

/** One operation on a given registry, as its row has it, with an input that has been read. */
export type Perform = (context: AdminContext, actor: AdminActor) => Promise<unknown>;

/** An operation as it would be carried out now. */
export interface Rehearsal {
  /** All of it as one step; null: everything is so already. */
  readonly commit: Commit | null;
  readonly takesAway: boolean;
  readonly edits: readonly Edit[];
}

/** Carries an operation out on a rehearsal of the registry: nothing is changed. */
export async function rehearse(
  { approvals: _, onRevoked: __, ...context }: AdminContext,
  actor: AdminActor,
  perform: Perform,
): Promise<Rehearsal> {
  const made: Rehearsed[] = [];
  // Operations that can wait ask no more of a store than a rehearsal has.
  const store = rehearsalOf(context.store, (one) => made.push(one)) as AdminContext['store'];
  await perform({ ...context, store }, actor);
  const [first, ...others] = made.map(({ commit }) => commit);
  return {
    commit: first === undefined ? null : joinedCommit([first, ...others], () => undefined),
    takesAway: made.some(({ takesAway }) => takesAway),
    edits: netOf(made.flatMap(({ edits }) => edits)),
  };
}

/** Of each record what it was at first and what it is in the end. */
function netOf(edits: readonly Edit[]): readonly Edit[] {
  const net = new Map<string, Edit>();
  for (const edit of edits) {
    const key = `${edit.kind}:${edit.key}`;
    const known = net.get(key);
    net.set(key, (known === undefined ? edit : { ...edit, before: known.before }) as Edit);
  }
  return [...net.values()];
}

/** What people are shown of it. */
export function changesOf({ edits }: Rehearsal): readonly WaitingChange[] {
  return edits.map(({ kind, key, before, after }) => ({
    kind,
    // A new account gets its id when it is made.
    id: kind === 'account' && before === null ? null : key,
    name: (after ?? before)?.name ?? key,
    before: shownRecord(before),
    after: shownRecord(after),
  }));
}

/**
 * Of all that the operation was judged on and comes to: the versions of the records, and what they
 * would be. Times and the ids of new accounts are made anew each time, and are not in it.
 */
export function digestOf(rehearsal: Rehearsal): string {
  const { commit } = rehearsal;
  const versions = (commit?.expects ?? [])
    .filter(({ version }) => version !== 0)
    .map(({ kind, key, version }) => `${kind}:${key} ${version}`)
    .sort();
  const changes = changesOf(rehearsal).map(({ kind, id, name, after }) => {
    const { id: _, createdAt: __, updatedAt: ___, tokenCreatedAt: ____, ...rest } = after ?? {};
    return [kind, id, name, after === null ? null : rest];
  });
  return hash('sha256', JSON.stringify([versions, changes]), 'base64url');
}
