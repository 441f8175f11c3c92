import { isDeepStrictEqual } from 'node:util';
import type { Account, Role, Team } from '../account/model.ts';
import { decodeAccount, decodeRole, decodeTeam } from '../registry/codec.ts';
import { RegistryUnavailable } from '../registry/port.ts';
import type { Edit } from './edit.ts';
import { AdminError } from './error.ts';
import type { Incoming } from './revival.ts';

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

/** Null for what is no record of this version; importing it alone says why. */
export function incomingIn(input: TransferredRecord): Incoming | null {
  const { kind, text } = Object(input) as Partial<TransferredRecord>;
  if (kind === 'account') {
    const record = accountIn(input);
    return record === null ? null : { kind, record };
  }
  if (typeof text !== 'string') return null;
  return readable((): Incoming | null => {
    if (kind === 'role') return { kind, record: importedRole(text) };
    return kind === 'team' ? { kind, record: importedTeam(text) } : null;
  });
}

/** Null for what is no account of this version; importing it alone says why. */
export function accountIn(input: TransferredRecord): Account | null {
  const { kind, text } = Object(input) as Partial<TransferredRecord>;
  if (kind !== 'account' || typeof text !== 'string') return null;
  return readable(() => importedAccount(text));
}

function readable<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof RegistryUnavailable || error instanceof AdminError) return null;
    throw error;
  }
}

/** That it was revived once was said in the registry that it comes from, and not in this one. */
export function importedAccount(text: string): Account {
  const { revived: _, ...account } = ofJson(text, () => decodeAccount(null, text));
  return account;
}

export function importedRole(text: string): Role {
  const { revived: _, ...role } = ofJson(text, () => decodeRole(null, text));
  return role;
}

export function importedTeam(text: string): Team {
  const { revived: _, ...team } = ofJson(text, () => decodeTeam(null, text));
  return team;
}

export function isSame<
  T extends { readonly version: number; readonly createdAt: string; readonly updatedAt: string },
>(before: T, after: T): boolean {
  const { createdAt, updatedAt } = after;
  const { revived: _, ...comparable } = before as T & Pick<Account, 'revived'>;
  return isDeepStrictEqual(
    { ...comparable, version: 0, createdAt, updatedAt },
    { ...after, version: 0 },
  );
}

/** Whoever brings a text that is not even JSON is told so. */
function ofJson<T>(text: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (isJson(text)) throw error;
    throw new AdminError('invalid', 'that is no record: it is not JSON');
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
