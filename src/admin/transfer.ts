import { isDeepStrictEqual } from 'node:util';
import {
  decodeAccount,
  decodeRole,
  decodeTeam,
  encodeRecord,
  withVersion,
} from '../registry/codec.ts';
import { RegistryUnavailable } from '../registry/port.ts';
import type { AdminActor } from './actor.ts';
import { type AdminContext, change, type Edit, reading } from './change.ts';
import { judge } from './effect.ts';
import { AdminError } from './error.ts';
import { Fields } from './fields.ts';
import { Records } from './records.ts';

/**
 * The registry out of one store and into another. Records travel as they are stored, digests of
 * tokens and verifiers of passwords included, so that tokens and passwords go on working; no token
 * is in them, because none is anywhere. Whoever holds such a file can try passwords against it:
 * keep it like the store.
 */
export interface TransferredRecord {
  readonly kind: Edit['kind'];
  /** The record's text, with its version in the store that it came from. */
  readonly text: string;
}

export interface TransferPage {
  readonly records: readonly TransferredRecord[];
  /** Opaque; null = that was all. */
  readonly next: string | null;
}

const PAGE = 500;

/**
 * Roles and teams first, then accounts page by page: an order in which they can be imported. Only
 * for who has the rights of the store.
 */
export async function exportRecords(
  context: AdminContext,
  actor: AdminActor,
  input: { readonly cursor?: string | null },
): Promise<TransferPage> {
  mustOwnStore(actor);
  return reading(async () => {
    const cursor = input.cursor ?? null;
    const page = await context.store.accounts({ cursor, limit: PAGE });
    if (page.damaged.length > 0)
      throw new AdminError(
        'unavailable',
        `records cannot be read and would be lost: account ${page.damaged.join(', ')}`,
      );
    const accounts = page.items.map(
      (account): TransferredRecord => ({ kind: 'account', text: textOf(account) }),
    );
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
  return [
    ...roles.map((role): TransferredRecord => ({ kind: 'role', text: textOf(role) })),
    ...teams.map((team): TransferredRecord => ({ kind: 'team', text: textOf(team) })),
  ];
}

function textOf(record: Parameters<typeof encodeRecord>[0]): string {
  return withVersion(encodeRecord(record), record.version);
}

/**
 * `changed: false` = the same record was there already. Throws `name-taken` when another one is.
 */
export function importRecord(
  context: AdminContext,
  actor: AdminActor,
  input: TransferredRecord,
): Promise<{ readonly changed: boolean }> {
  mustOwnStore(actor);
  const fields = new Fields(input, ['kind', 'text']);
  const kind = fields.oneOf('kind', ['account', 'role', 'team'] as const, 'account');
  const text = fields.text('text', 4 * 1024 * 1024);
  fields.check();
  return change(context, actor, async () => {
    const edit = await editFor(context, kind, text);
    const same = edit.before !== null;
    const records = await Records.read(context.store);
    return {
      edit: same ? null : edit,
      type: 'registry-imported',
      effect: await judge(context, actor, records, edit),
      reliesOn: [],
      answer: () => ({ changed: !same }),
    };
  });
}

async function editFor(context: AdminContext, kind: Edit['kind'], text: string): Promise<Edit> {
  const records = await Records.read(context.store);
  if (kind === 'role') {
    const after = decoded(() => decodeRole(keyIn(text, 'name'), text));
    return {
      kind,
      key: after.name,
      before: sameOrNone(records.roles.get(after.name) ?? null, after, `role ${after.name}`),
      after,
    };
  }
  if (kind === 'team') {
    const after = decoded(() => decodeTeam(keyIn(text, 'name'), text));
    return {
      kind,
      key: after.name,
      before: sameOrNone(records.teams.get(after.name) ?? null, after, `team ${after.name}`),
      after,
    };
  }
  const after = decoded(() => decodeAccount(keyIn(text, 'id'), text));
  const before =
    (await context.store.account(after.id)).account ??
    (await context.store.accountByName(after.name));
  return { kind, key: after.id, before: sameOrNone(before, after, `account ${after.name}`), after };
}

/**
 * What is there already must be the same but for its version and the time of its last change: an
 * import overwrites nothing.
 */
function sameOrNone<
  T extends { readonly version: number; readonly createdAt: string; readonly updatedAt: string },
>(before: T | null, after: T, what: string): T | null {
  if (before === null) return null;
  const { createdAt: madeThen, updatedAt: changedThen } = after;
  if (
    isDeepStrictEqual(
      { ...before, version: 0, createdAt: madeThen, updatedAt: changedThen },
      { ...after, version: 0 },
    )
  )
    return before;
  throw new AdminError(
    'name-taken',
    `there is another ${what} already, and an import overwrites nothing`,
  );
}

function decoded<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof RegistryUnavailable)) throw error;
    throw new AdminError('invalid', 'that is no record of this version of Sallyport', {
      cause: error,
    });
  }
}

function keyIn(text: string, field: 'id' | 'name'): string {
  try {
    return String((JSON.parse(text) as Record<string, unknown>)[field]);
  } catch {
    throw new AdminError('invalid', 'that is no record: it is not JSON');
  }
}

function mustOwnStore(actor: AdminActor): void {
  if (actor.permissions !== 'store-owner')
    throw new AdminError(
      'forbidden',
      'only who has the rights of the store may take the registry out of it or bring one in',
    );
}
