import type { Account } from '../../account/model.ts';
import { type FeedEvent, FeedLost, type RegistrySource, RegistryUnavailable } from '../port.ts';
import type { StoreState } from '../position.ts';
import { eventsBetween } from '../replica/history.ts';
import type { WarmSnapshot } from './snapshot.ts';

/** `why`: the reason for which the snapshot tells nothing about the registry as it stands. */
export type WarmStart =
  | { readonly accounts: ReadonlyMap<string, Account>; readonly why: null }
  | { readonly accounts: null; readonly why: string };

/**
 * A snapshot's accounts as they stand at `now`, the position that a generation is about to begin
 * at: every change in between is read from the feed and applied. All or nothing. Where the feed
 * does not lead without a gap from the one position to the other, by number and by tip, the
 * snapshot counts for nothing.
 *
 * Throws `RegistryUnavailable` when the store does not answer: then nothing is known, and it can be
 * tried again.
 */
export async function warmAccounts(
  source: Pick<RegistrySource, 'eventsAfter'>,
  { at, accounts }: WarmSnapshot,
  now: StoreState,
): Promise<WarmStart> {
  if (at.epoch !== now.epoch) return cold('the registry has another history (epoch)');
  if (at.seq > now.seq) return cold('the registry has gone back to an earlier state');
  // What was revoked by a change that was then lost stands in no feed.
  if (at.tombstones !== now.tombstones)
    return cold('others have told of revocations that the registry had lost');
  let events: readonly FeedEvent[];
  try {
    events = (await eventsBetween(source, at, now)).filter(({ seq }) => seq <= now.seq);
  } catch (fault) {
    if (
      fault instanceof FeedLost ||
      (fault instanceof RegistryUnavailable && fault.why === 'damaged')
    )
      return cold(fault.message);
    throw fault;
  }
  const reached = events.at(-1) ?? at;
  if (reached.seq !== now.seq || reached.tip !== now.tip)
    return cold('the feed does not lead from the snapshot to the present');
  return { accounts: changed(accounts, events), why: null };
}

/** Only accounts that are held: the feed says nothing of who calls. */
function changed(
  accounts: readonly Account[],
  events: readonly FeedEvent[],
): ReadonlyMap<string, Account> {
  const held = new Map(accounts.map((account) => [account.id, account]));
  for (const { changes, unreadable = [] } of events) {
    for (const id of unreadable) held.delete(id);
    for (const change of changes) {
      if (change.kind !== 'account' || !held.has(change.key)) continue;
      if (change.record === null) held.delete(change.key);
      else held.set(change.key, change.record);
    }
  }
  return held;
}

function cold(why: string): WarmStart {
  return { accounts: null, why };
}
