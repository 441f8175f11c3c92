import type { AuditReader } from '../audit/port.ts';
import type { Clock } from '../clock.ts';
import type { RegistryStore } from '../registry/port.ts';
import type { ServedRegistry } from '../registry/served.ts';
import type { UsageReader } from '../stats/usage/port.ts';
import type { AdminContext } from './context.ts';

/** What administration needs of a store, opened apart from a running gate. */
export interface OpenStores {
  readonly store: RegistryStore;
  readonly served: ServedRegistry;
  readonly audit: AuditReader;
  /** Who called. */
  readonly usage: UsageReader;
  /** What the data folder's gate has seen of an account. */
  readonly known?: NonNullable<AdminContext['known']>;
  /** What running gates have published; absent: they publish to nobody but themselves. */
  readonly published?: NonNullable<AdminContext['published']>;
  close(): Promise<void>;
}

export interface OpenOptions {
  readonly clock: Clock;
  readonly create: boolean;
  /** Whether a store without registry, or with another one than was served, is opened as well. */
  readonly any?: boolean;
  /** Told what was put right on the way, one line each. */
  note(line: string): void;
}

/** A reader of the record that is opened when it is first asked for: most commands never do. */
export function lateReader(
  reader: () => Promise<AuditReader>,
): Omit<AuditReader, 'close' | 'reindex'> {
  return {
    activity: async (query) => (await reader()).activity(query),
    tail: async (query) => (await reader()).tail(query),
    noticesAfter: async (after, limit) => (await reader()).noticesAfter(after, limit),
    record: scanOf(reader),
    search: async (query) => (await reader()).search(query),
    oldestMs: async () => (await reader()).oldestMs(),
  };
}

function scanOf(reader: () => Promise<AuditReader>): AuditReader['record'] {
  return {
    scan: async (query) => (await reader()).record.scan(query),
    size: async () => (await reader()).record.size(),
    heads: async () => (await reader()).record.heads(),
    keys: async () => (await reader()).record.keys(),
    anchors: async () => (await reader()).record.anchors(),
  };
}
