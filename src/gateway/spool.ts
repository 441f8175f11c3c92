import { join } from 'node:path';
import type { AuditLog } from '../audit/port.ts';
import { Adoption } from '../audit/spool/adoption.ts';
import { SpoolFolder } from '../audit/spool/folder.ts';
import type { Durability, LostEvents, SpoolObserver } from '../audit/spool/options.ts';
import { SpoolingLog } from '../audit/spool/spooling-log.ts';
import type { GateContext } from './context.ts';

/** In the data folder. */
const SPOOL_FOLDER = 'spool';
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

/** The record of one gate on Redis, with the spool that stands in for it. */
export interface GateSpool {
  readonly log: AuditLog;
  /** On disk, what is being adopted included. */
  readonly bytes: number;
  /** Why Redis takes no records; null while it does. */
  readonly problem: string | null;
  /** Waits a moment for the rest to be replayed. @returns whether all is in the store */
  drain(): Promise<boolean>;
  close(): Promise<void>;
}

/** @param lost told of events that no store will ever hold */
export function openSpool(
  gate: GateContext,
  store: AuditLog,
  lost: (lost: LostEvents) => void,
): GateSpool {
  const { clock, instance, log, state } = gate;
  const { durability, spool } = state.config.audit;
  const { dataDir, workers } = state.config.instance;
  const root = join(dataDir, SPOOL_FOLDER);
  const maxBytes = Math.floor(spool.maxBytes / workers);
  const keepBytes = durability === 'store' ? 0 : Math.floor(maxBytes * KEEP.share);
  const bounds = { maxBytes, keep: { bytes: keepBytes, ms: KEEP.ms } };
  const observer = observerOf(gate, lost);
  log.info(`audit.durability: ${durability}: ${LOSS_WINDOW[durability]}`);
  const spooling = new SpoolingLog({
    store,
    instance,
    durability,
    openFolder: () => SpoolFolder.create(root, instance, bounds, clock),
    observer,
  });
  const adoption = adoptionOf(gate, root, store, observer);
  return {
    log: spooling,
    get bytes() {
      return spooling.bytes + adoption.bytes;
    },
    get problem() {
      return spooling.problem;
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

function observerOf(
  { log, metrics }: GateContext,
  lost: (lost: LostEvents) => void,
): SpoolObserver {
  return {
    away: (why) => log.warn('Redis takes no audit events: they go to the spool', { why }),
    back: () => log.info('Redis takes audit events again, and has what was in the spool'),
    spooled: (count) => metrics.audit.count('spooled', count),
    replayed: (count) => metrics.audit.count('replayed', count),
    lost(events) {
      const count = events.lastSeq - events.firstSeq + 1;
      metrics.audit.count('lost', count);
      log.error('audit events that were accepted are lost', { ...events, events: count });
      lost(events);
    },
    unopened: (error) => log.error('the spool for audit events cannot be opened', { error }),
  };
}

function adoptionOf(
  { instance, log }: GateContext,
  root: string,
  store: AuditLog,
  observer: SpoolObserver,
): Adoption {
  return new Adoption({
    root,
    instance,
    store,
    observer: {
      replayed: observer.replayed,
      lost: observer.lost,
      adopted: ({ instance: gone, events, damagedBytes }) => {
        const fields = { gone, events, ...(damagedBytes > 0 ? { damagedBytes } : {}) };
        log.warn('audit events that an instance left in the spool are recorded', fields);
      },
      failed: (error) =>
        log.warn('what other instances left in the spool cannot be recorded yet', { error }),
    },
  });
}
