import type { Role, Team } from '../account/model.ts';
import { encodeRecord, withVersion } from '../registry/codec.ts';
import { turn } from '../turns.ts';
import type { AdminActor } from './actor.ts';
import { reading } from './change.ts';
import type { AdminContext } from './context.ts';
import { AdminError } from './error.ts';
import type { TransferPage, TransferredRecord } from './transferred.ts';

/**
 * Records that are read, and written as text, in one turn of the loop. The command line alone has
 * no calls to answer.
 */
const PAGE = { byGate: 100, alone: 500 } as const;

/**
 * Roles and teams first, then accounts page by page: an order in which they can be imported. Only
 * for who has the rights of the store.
 */
export async function exportRecords(
  context: AdminContext,
  _actor: AdminActor,
  input: { readonly cursor?: string | null },
): Promise<TransferPage> {
  return reading(async () => {
    const cursor = input.cursor ?? null;
    const limit = PAGE[context.instance === null ? 'alone' : 'byGate'];
    const page = await context.store.accounts({ cursor, limit });
    if (page.damaged.length > 0)
      throw new AdminError(
        'unavailable',
        `records cannot be read and would be lost: account ${page.damaged.join(', ')}`,
      );
    const accounts = page.items.map(
      (account): TransferredRecord => ({ kind: 'account', text: textOf(account) }),
    );
    await turn();
    return {
      records: cursor === null ? [...(await policyRecords(context)), ...accounts] : accounts,
      next: page.next,
    };
  });
}

async function policyRecords(context: AdminContext): Promise<readonly TransferredRecord[]> {
  const { roles, teams, damagedRoles } = await context.store.snapshot();
  if (damagedRoles.length > 0)
    throw new AdminError(
      'unavailable',
      `records cannot be read and would be lost: role ${damagedRoles.join(', ')}`,
    );
  const doubtful = teams.filter(({ inDoubt = [] }) => inDoubt.length > 0);
  if (doubtful.length > 0)
    throw new AdminError(
      'unavailable',
      'the store has lost which applications these teams own, so they cannot be told: team ' +
        `${doubtful.map(({ name }) => name).join(', ')}; change them first`,
    );
  const records: TransferredRecord[] = [];
  const add = async (kind: 'role' | 'team', record: Role | Team) => {
    if (records.length % PAGE.byGate === 0) await turn();
    records.push({ kind, text: textOf(record) });
  };
  for (const role of roles) await add('role', role);
  for (const team of teams) await add('team', team);
  return records;
}

function textOf(record: Parameters<typeof encodeRecord>[0]): string {
  return withVersion(encodeRecord(record), record.version);
}
