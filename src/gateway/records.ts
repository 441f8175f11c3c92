import { type Chain, openChain } from '../audit/chain/chain.ts';
import { NO_CHAIN } from '../audit/chain/hash.ts';
import { headIn } from '../audit/chain/head-file.ts';
import { type ChainKey, openChainKey, passingChainKey } from '../audit/chain/key.ts';
import { chainEvent } from '../audit/event/chain-event.ts';
import { type FoldedFacts, type FoldedType, foldedEvent } from '../audit/event/folded-event.ts';
import { NOTICE_LOG, type NoticeFacts, noticeEvent } from '../audit/event/notice-event.ts';
import { FloodFold } from '../audit/floods/flood.ts';
import { DAY_MS } from '../audit/log/retention.ts';
import { HoneyTokens } from '../audit/notices/honey-tokens.ts';
import { onRecord } from '../audit/outbox/on-record.ts';
import { type BatchingOutbox, createOutbox } from '../audit/outbox/outbox.ts';
import { PermitCloser } from '../audit/permits/closer.ts';
import type { AuditLog, Taken } from '../audit/port.ts';
import type { LostEvents } from '../audit/spool/options.ts';
import { packageVersion } from '../telemetry/metrics.ts';
import { type GateContext, own } from './context.ts';
import { type GateSpool, openSpool } from './spool.ts';

/** How long the last records may take to be written out. */
const FLUSH_MS = 5000;

/** Where a gate's calls are recorded. */
export interface Records {
  readonly outbox: BatchingOutbox;
  /** Of the proxied APIs. */
  readonly floods: FloodFold;
  /** Of the administration. */
  readonly adminFloods: FloodFold;
  /** Tells of honey tokens that are presented. */
  readonly honey: HoneyTokens;
  /** Records something that somebody should know of. */
  readonly notify: (facts: NoticeFacts) => Taken;
  /** What the audit log said when it took no records; null while it takes them. */
  readonly problem: string | null;
  /** What stands in for Redis; null: the embedded store needs nothing of the kind. */
  readonly spool: GateSpool | null;
  /** For how long the oldest event has been waiting that activity logs lack, in ms. */
  readonly activityLagMs: number;
  /**
   * Writes out what is queued, for five seconds at most. What is left over then is lost: the log
   * says how much, and another instance will close the permits that are open. A second call waits
   * for the first one.
   */
  close(): Promise<void>;
}

export function openRecords(gate: GateContext, store: AuditLog): Records {
  const { log, metrics } = gate;
  let problem: string | null = null;
  const { dataDir } = gate.state.config.instance;
  const key = chainKeyIn(gate, dataDir);
  const previous = key.isKept ? headIn(dataDir) : null;
  // With the embedded store the record is a file of this machine with an fsync already.
  const spool =
    gate.state.config.store.kind === 'redis'
      ? own(
          gate,
          openSpool(gate, store, {
            own: (lost) => {
              outbox.recordEnd(lossOf(lost), null);
              notify(gapsOf(gate, lost));
            },
            others: async (lost) => {
              await onRecord(outbox, lossOf(lost));
              notify(gapsOf(gate, lost));
            },
          }),
        )
      : null;
  const outbox = createOutbox({
    chain: previous?.chain ?? NO_CHAIN,
    log: spool?.log ?? store,
    instance: gate.instance,
    clock: gate.clock,
    observer: {
      accepted(count, tookMs) {
        metrics.audit.count('accepted', count);
        // An empty batch only asks whether the log is there.
        if (count > 0) metrics.appended(tookMs, count);
      },
      lost: (count) => metrics.audit.count('lost', count),
      unrecorded: () => metrics.audit.count('unrecorded'),
      resent: (count) => metrics.audit.count('resent', count),
      health: (fault) => {
        problem = fault?.message ?? null;
        if (fault === null) log.info('the audit log takes records again');
        else log.error('the audit log takes no records', { error: fault });
      },
      fault: (error) => log.error('a call failed when its record was accepted', { error }),
    },
  });
  const lossOf = ({ instance, ...lost }: LostEvents) => {
    const isOwn = instance === gate.instance;
    // What was noted of permits went with them.
    if (isOwn) outbox.permits.noteAnew();
    const facts = {
      type: 'events-lost',
      count: lost.lastSeq - lost.firstSeq + 1,
      ...lost,
      ...(isOwn ? {} : { ofInstance: instance }),
    } as const;
    return (seq: number) => chainEvent(gate.instance, seq, gate.clock.wallMs(), facts);
  };
  const chain = openChain({
    outbox,
    instance: gate.instance,
    version: packageVersion(),
    clock: gate.clock,
    key,
    previous,
    folder: key.isKept ? dataDir : null,
    ledger: store.heads ?? null,
    keptMs: gate.state.config.audit.retention.days * DAY_MS,
    onFault: (error) =>
      log.warn('where the chain of audit events has come to cannot be kept', { error }),
  });
  store.witnessCuts?.(chain.cuts);
  const closer = closerOf(gate, store, outbox, chain);
  const floods = floodsOf(gate, 'call', outbox);
  const adminFloods = floodsOf(gate, 'admin-call', outbox);
  const notify = (facts: NoticeFacts) =>
    outbox.record((seq) => noticeEvent(gate.instance, seq, facts), NOTICE_LOG, null);
  const honey = new HoneyTokens({
    clock: gate.clock,
    nextId: gate.nextRequestId,
    write: notify,
    presented: () => metrics.honeyToken(),
  });
  const close = async () => {
    honey.close();
    floods.close();
    adminFloods.close();
    // Whoever closes permits of others vouches for them, so that comes before the last word.
    await closer?.rest();
    chain.end();
    const left = await outbox.close(FLUSH_MS);
    await chain.close();
    const isRecorded = (await spool?.drain()) ?? true;
    await closer?.close(left === 0 && outbox.permits.size === 0 && isRecorded);
    if (left > 0) log.error('audit events could not be written out', { events: left });
  };
  let closing: Promise<void> | null = null;
  return own(gate, {
    outbox,
    floods,
    adminFloods,
    honey,
    notify,
    spool,
    get activityLagMs() {
      return store.activityLagMs ?? 0;
    },
    get problem() {
      return problem;
    },
    close() {
      closing ??= close();
      return closing;
    },
  });
}

function gapsOf({ nextRequestId, clock }: GateContext, lost: LostEvents): NoticeFacts {
  const { instance, firstSeq, lastSeq, reason } = lost;
  return {
    id: nextRequestId(),
    timeMs: clock.wallMs(),
    type: 'gaps-found',
    detail: `events ${firstSeq} to ${lastSeq} of ${instance} (${reason})`,
  };
}

/** A folder that takes no key does not keep a gate from running: then its key ends with it. */
function chainKeyIn({ log }: GateContext, folder: string): ChainKey & { readonly isKept: boolean } {
  try {
    return { ...openChainKey(folder), isKept: true };
  } catch (error) {
    log.warn('the key that signs the audit chain cannot be kept, so another is made', { error });
    return { ...passingChainKey(), isKept: false };
  }
}

/** Counts refusals of one caller once there were many, instead of recording each. */
function floodsOf(gate: GateContext, type: FoldedType, outbox: BatchingOutbox): FloodFold {
  const { addresses, clock, instance, nextRequestId, state } = gate;
  // Counted by the full address, and written down as the record holds it.
  const recorded = ({ clientAddress: address, ...facts }: FoldedFacts): FoldedFacts => ({
    ...facts,
    clientAddress: address === null ? null : addresses.recorded(address),
  });
  return new FloodFold({
    clock,
    write: (facts: FoldedFacts) =>
      outbox.record(
        (seq) => foldedEvent(type, instance, nextRequestId(), seq, clock.wallMs(), recorded(facts)),
        facts.account?.id ?? null,
        null,
      ),
    hasRoom: () => !outbox.full,
    singles: state.config.audit.foldRefusalsAfter,
  });
}

/** Null: the log knows no instances but this one. */
function closerOf(
  { clock, instance, log, metrics, state }: GateContext,
  { permits: ledger }: AuditLog,
  { permits }: BatchingOutbox,
  chain: Chain,
): PermitCloser | null {
  if (ledger === undefined) return null;
  return new PermitCloser({
    ledger,
    permits,
    instance,
    clock,
    leaseMs: state.config.registry.leaseMs,
    vouch: (written) => chain.vouch(written),
    closed: (gone, count) => {
      metrics.audit.count('accepted', count);
      log.warn('permits of an instance that ended without a word are closed', {
        gone,
        permits: count,
      });
    },
    onFault: (error) =>
      log.warn('permits that other instances left open cannot be looked for', { error }),
  });
}
