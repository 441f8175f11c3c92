import type { Registry } from 'prom-client';
import { declareGauge, declareHistogram, Histogram } from './series.ts';

/** `changes`: of administration, where the record has a Redis of its own. */
const ROLES = ['registry', 'audit', 'changes'] as const;
export type StoreRole = (typeof ROLES)[number];

/** One connection of several, perhaps to several servers, that serve the same purpose. */
interface Member {
  readonly connected: boolean;
}

/** What becomes of the commands to one store. */
export interface StoreMeter {
  join(member: Member): void;
  leave(member: Member): void;
  /** A command was carried out. */
  answered(tookMs: number): void;
  /** A command got no reply. */
  unanswered(): void;
}

export type StoreMeters = Readonly<Record<StoreRole, StoreMeter>>;

/** Seconds. Commands that wait on the server's side are not among them. */
const BOUNDS = [
  0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2,
] as const;

export function createStoreMeters(registry: Registry): StoreMeters {
  const durations = new Histogram(BOUNDS, (series) => ({ role: ROLES[series]! }));
  const states = ROLES.map((role) => ({
    role,
    members: new Set<Member>(),
    isAnswering: true,
  }));
  declareHistogram(
    registry,
    'sallyport_store_command_seconds',
    'How long the store took to answer a command, or several that were sent together.',
    durations,
  );
  declareGauge(
    registry,
    'sallyport_store_up',
    '1: there is a connection to the store, and no command was left without a reply since the last that was carried out.',
    'min',
    (emit) => {
      for (const { role, members, isAnswering } of states)
        if (members.size > 0) emit(isAnswering && isConnected(members) ? 1 : 0, { role });
    },
  );
  const meters = states.map((state, series) => ({
    join: (member: Member) => void state.members.add(member),
    leave: (member: Member) => void state.members.delete(member),
    answered(tookMs: number) {
      state.isAnswering = true;
      durations.observe(series, tookMs / 1000);
    },
    unanswered() {
      state.isAnswering = false;
    },
  }));
  const [ofRegistry, ofAudit, ofChanges] = meters as [StoreMeter, StoreMeter, StoreMeter];
  return { registry: ofRegistry, audit: ofAudit, changes: ofChanges };
}

function isConnected(members: ReadonlySet<Member>): boolean {
  for (const { connected } of members) if (connected) return true;
  return false;
}
