import type { AccountKind } from '../account/model.ts';
import type { AdminActor } from './actor.ts';
import { reading } from './change.ts';
import type { AdminContext } from './context.ts';
import { invalid } from './error.ts';
import { listAccounts } from './list-accounts.ts';
import { Records } from './records.ts';
import { asMember } from './teams.ts';
import type { TeamMember } from './views.ts';

export interface TeamMembersQuery {
  readonly team: string;
  readonly cursor?: string | null;
  /** 1 to 500; default 100. */
  readonly limit?: number;
}

export interface TeamMemberPage {
  readonly items: readonly TeamMember[];
  readonly next: string | null;
}

/** All members, page by page: service accounts first, then users. */
export async function listTeamMembers(
  context: AdminContext,
  actor: AdminActor,
  { team, cursor: at, limit }: TeamMembersQuery,
): Promise<TeamMemberPage> {
  (await reading(() => Records.read(context.store))).team(team);
  // Two lists, and the cursor says to which one it belongs.
  const [, kind, cursor] = /^(service|user)\.(.*)$/.exec(at ?? 'service.') ?? [];
  if (kind === undefined || cursor === undefined)
    throw invalid([{ field: 'cursor', message: 'is not a cursor of this list' }]);
  const page = await listAccounts(context, actor, {
    kind: kind as AccountKind,
    team,
    ...(cursor === '' ? {} : { cursor }),
    ...(limit === undefined ? {} : { limit }),
  });
  const more = page.next === null ? null : `${kind}.${page.next}`;
  return {
    items: page.items.map((account) => asMember(account, team)),
    next: more ?? (kind === 'service' ? 'user.' : null),
  };
}
