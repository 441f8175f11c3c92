import { type AuditReader, AuditUnavailable, type Reindexed } from '../audit/port.ts';
import type { RegistryStore } from '../registry/port.ts';
import { type AccountRef, resolveAccountId } from './accounts.ts';
import { AdminError } from './error.ts';

export interface AuditReindexInput {
  /** Whose activity log is made anew; null = everybody's. */
  readonly account: AccountRef | null;
}

export interface AuditReindexContext {
  readonly store: RegistryStore;
  readonly audit: AuditReader;
}

/**
 * Makes activity logs anew from the record.
 *
 * @returns null: there is nothing to make, for the record itself is read
 */
export async function reindexAudit(
  { store, audit }: AuditReindexContext,
  { account }: AuditReindexInput,
  progress: (done: number, of: number) => void = () => {},
): Promise<Reindexed | null> {
  if (audit.reindex === undefined) return null;
  const id = account === null ? null : await resolveAccountId(store, account);
  try {
    return await audit.reindex({ account: id, progress });
  } catch (error) {
    if (!(error instanceof AuditUnavailable)) throw error;
    const message = `activity logs cannot be made anew: ${error.message}`;
    throw new AdminError('unavailable', message, { cause: error });
  }
}
