import { reading } from '../change.ts';
import type { AdminContext } from '../context.ts';
import type { WaitingBody } from './waiting.ts';

/**
 * Whether two administrators may be one: whoever sets the password of another, or holds a token
 * that they made for it, can act as both. So everybody who has set what an account proves itself
 * with within the last days, or made what it still uses, counts as that account, and so does who
 * has done that to them.
 */

export type Identity = string;

/** Those who act with the store itself are one: what they say of their names is not proven. */
export function identityOf({ id }: Pick<WaitingBody['proposedBy'], 'id'>): Identity {
  return id ?? 'store-owner';
}

/** For how long it counts that somebody has set the password or token of another. */
const LOOK_BACK_MS = 7 * 24 * 60 * 60 * 1000;
/** Accounts looked at, and events of each. */
const LIMITS = { accounts: 32, events: 1000, page: 100 } as const;

/** What gives whoever does it the means to act as the account. */
const MEANS: ReadonlySet<string> = new Set([
  'account-created',
  'account-revived',
  'registry-imported',
  'password-set',
  'token-issued',
  'token-rotated',
  'token-renewed',
]);

/** Everybody who may have acted as this one; null: there are too many to look at. */
export async function handsOf(
  context: Pick<AdminContext, 'store' | 'clock'>,
  identity: Identity,
): Promise<ReadonlySet<Identity> | null> {
  const hands = new Set([identity]);
  // What is added on the way is looked at as well.
  for (const hand of hands) {
    if (hands.size > LIMITS.accounts) return null;
    if (hand === identityOf({ id: null })) continue;
    const setters = await settersOf(context, hand);
    if (setters === null) return null;
    for (const setter of setters) hands.add(setter);
  }
  return hands;
}

interface Event {
  readonly type: string;
  readonly by: { readonly id: string | null };
  readonly timeMs: number;
}

/** Null: its history is too long to be read, or is there no more, and nobody knows. */
async function settersOf(
  { store, clock }: Pick<AdminContext, 'store' | 'clock'>,
  account: string,
): Promise<ReadonlySet<Identity> | null> {
  const sinceMs = clock.wallMs() - LOOK_BACK_MS;
  const setters = new Set<Identity>();
  let isOwn = false;
  let reachesBack = false;
  for await (const event of historyOf(store, account)) {
    if (event === 'too-long') return null;
    const { type, by, timeMs } = event;
    reachesBack ||= timeMs < sinceMs || type === 'account-created';
    if (isOwn && timeMs < sinceMs) return setters;
    if (!MEANS.has(type)) continue;
    // Whoever owns the store, or the identity provider, has decided anew who this is.
    if (by.id === null) return setters;
    if (by.id === account) isOwn = true;
    else setters.add(by.id);
    if (timeMs < sinceMs) return setters;
  }
  return reachesBack ? setters : null;
}

/** Newest first. Who can change an account can make this long: its end is no answer. */
async function* historyOf(
  store: Pick<AdminContext['store'], 'changes'>,
  account: string,
): AsyncGenerator<Event | 'too-long'> {
  let before: string | null = null;
  for (let read = 0; read < LIMITS.events; read += LIMITS.page) {
    const page = await reading(() => store.changes({ account, before, limit: LIMITS.page }));
    for (const event of page.items) yield eventIn(event);
    before = page.next;
    if (before === null) return;
  }
  yield 'too-long';
}

function eventIn(line: string): Event {
  const { type, actor, time } = JSON.parse(line) as {
    readonly type: string;
    readonly actor: Event['by'];
    readonly time: string;
  };
  return { type, by: actor, timeMs: Date.parse(time) };
}
