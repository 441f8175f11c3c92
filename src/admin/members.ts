import type { Account } from '../account/model.ts';
import { turn } from '../turns.ts';
import type { ChangedStore } from './context.ts';

export interface Members {
  /** Every account that is noted as a user of the team; version 0 = it is gone. */
  readonly users: readonly { readonly id: string; readonly version: number }[];
  /** Those that are in it, by name. */
  readonly members: readonly Account[];
}

/** Accounts read at the same time. */
const AT_ONCE = 25;

/** The members of a team, at most `limit`. */
export async function membersOf(
  store: ChangedStore,
  team: string,
  limit: number,
): Promise<Members> {
  const ids = (await store.referencesTo(`team:${team}`, limit)).map((user) =>
    user.slice(user.indexOf(':') + 1),
  );
  const users: Members['users'][number][] = [];
  const members: Account[] = [];
  for (let start = 0; start < ids.length; start += AT_ONCE) {
    await turn();
    const read = await Promise.all(
      ids.slice(start, start + AT_ONCE).map(async (id) => (await store.account(id)).account),
    );
    read.forEach((account, index) => {
      users.push({ id: ids[start + index]!, version: account?.version ?? 0 });
      if (account?.teams.some((membership) => membership.team === team)) members.push(account);
    });
  }
  return { users, members: members.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}
