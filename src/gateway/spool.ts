import { join } from 'node:path';
import type { AuditLog } from '../audit/port.ts';
import { Adoption, type AdoptionOptions } from '../audit/spool/adoption.ts';
import { SpoolFolder } from '../audit/spool/folder.ts';
import type { Durability, LostEvents, SpoolObserver } from '../audit/spool/options.ts';
import { SpoolingLog } from '../audit/spool/spooling-log.ts';
import { UnreadableFiles } from '../audit/spool/unreadable.ts';
import type { GateContext } from './context.ts';

/** In the data folder. */
const SPOOL_FOLDER = 'spool';
/** Files of the spool that could not be read go there. */
const UNREADABLE_FOLDER = 'spool-unreadable';
/** With `local` and `both`, what Redis has accepted stays for so long, in case that it loses it. */
const KEEP = { ms: 600_000, share: 0.25 } as const;
/** How long what is in the spool may take to be replayed at the end. */
const DRAIN_MS = 2000;

/** What is lost when, in words for whoever reads the log at a start. */
const LOSS_WINDOW: Readonly<Record<Durability, string>> = {
  store:
    'a response waits for Redis, or for the spool while Redis is away: what Redis accepts and loses itself (a failover, a crash before its fsync) is lost, counted, and told by an event',
  local:
    'a response waits for the spool: what this machine loses with its disk before it is replayed is lost; what Redis loses is sent again for ten minutes, or a quarter of audit.spool.maxBytes',
  both: 'a response waits for Redis and the spool, for the spool alone while Redis is away: what Redis loses is sent again for ten minutes, or a quarter of audit.spool.maxBytes',
};

/** Who puts on record what no store will ever hold. */
export interface Losses {
  /** Of this instance. */
  own(lost: LostEvents): void;
  /** Of one that is gone; resolves once it is on record. Throws `AuditUnavailable`. */
  others(lost: LostEvents): Promise<void>;
}

/** The record of one gate on Redis, with the spool that stands in for it. */
export interface GateSpool {
  readonly log: AuditLog;
  /** On disk, what is being adopted included. */
  readonly bytes: number;
  /** Why Redis takes no records; null while it does. */
  readonly problem: string | null;
  /** What of the spool cannot be read; null: nothing. */
  readonly unreadable: string | null;
  readonly unreadableFiles: number;
  /** Waits a moment for the rest to be replayed. @returns whether all is in the store */
  drain(): Promise<boolean>;
  close(): Promise<void>;
}

export function openSpool(gate: GateContext, store: AuditLog, losses: Losses): GateSpool {
  const { clock, instance, log, state } = gate;
  const { durability, spool } = state.config.audit;
  const { dataDir, workers } = state.config.instance;
  const root = join(dataDir, SPOOL_FOLDER);
  const maxBytes = Math.floor(spool.maxBytes / workers);
  const keepBytes = durability === 'store' ? 0 : Math.floor(maxBytes * KEEP.share);
  const bounds = { maxBytes, keep: { bytes: keepBytes, ms: KEEP.ms } };
  const observer = observerOf(gate, losses);
  const files = unreadableFiles(gate, join(dataDir, UNREADABLE_FOLDER));
  log.info(`audit.durability: ${durability}: ${LOSS_WINDOW[durability]}`);
  const spooling = new SpoolingLog({
    store,
    instance,
    clock,
    durability,
    openFolder: () => SpoolFolder.create(root, instance, bounds, clock, files),
    observer,
  });
  const adoption = adoptionOf(gate, { root, store, files, declare: losses.others }, observer);
  return {
    log: spooling,
    get bytes() {
      return spooling.bytes + adoption.bytes;
    },
    get problem() {
      return spooling.problem;
    },
    get unreadable() {
      return files.problem;
    },
    get unreadableFiles() {
      return files.count;
    },
    async drain() {
      const isEmpty = await spooling.drain(DRAIN_MS);
      if (!isEmpty)
        log.warn(
          'audit events stay in the spool: whoever runs on this data folder next sends them',
          {
            bytes: spooling.bytes,
          },
        );
      return isEmpty;
    },
    async close() {
      await adoption.close();
      await spooling.close();
    },
  };
}

function observerOf({ instance, log, metrics }: GateContext, losses: Losses): SpoolObserver {
  return {
    away: (why) => log.warn('Redis takes no audit events: they go to the spool', { why }),
    back: () => log.info('Redis takes audit events again, and has what was in the spool'),
    spooled: (count) => metrics.audit.count('spooled', count),
    replayed: (count) => metrics.audit.count('replayed', count),
    lost(events) {
      const count = events.lastSeq - events.firstSeq + 1;
      metrics.audit.count('lost', count);
      metrics.gap();
      log.error('audit events that were accepted are lost', { ...events, events: count });
      if (events.instance === instance) losses.own(events);
    },
    unopened: (error) => log.error('the spool for audit events cannot be opened', { error }),
  };
}

function unreadableFiles({ clock, log }: GateContext, folder: string): UnreadableFiles {
  return new UnreadableFiles({
    folder,
    clock,
    observer: {
      unreadable: (path, why) =>
        log.error('a file of the spool cannot be read: what follows it waits a minute for it', {
          path,
          why,
        }),
      readable: (path) => log.info('a file of the spool can be read again', { path }),
      setAside: (path, to) =>
        log.error('a file of the spool could not be read, or not all of it: it is set aside', {
          path,
          to,
        }),
    },
  });
}

function adoptionOf(
  { clock, instance, log }: GateContext,
  parts: Pick<AdoptionOptions, 'root' | 'store' | 'files' | 'declare'>,
  observer: SpoolObserver,
): Adoption {
  return new Adoption({
    ...parts,
    instance,
    clock,
    observer: {
      replayed: observer.replayed,
      lost: observer.lost,
      adopted: ({ instance: gone, events, damagedBytes, unreadableFiles }) => {
        const fields = {
          gone,
          events,
          ...(damagedBytes > 0 ? { damagedBytes } : {}),
          ...(unreadableFiles > 0 ? { unreadableFiles } : {}),
        };
        log.warn('audit events that an instance left in the spool are recorded', fields);
      },
      failed: (error, gone) =>
        log.warn('what other instances left in the spool cannot be recorded yet', {
          ...(gone === null ? {} : { gone }),
          error,
        }),
    },
  });
}
