import { LEASE_MS } from '../../config/sections/registry.ts';
import { NEWEST_RECORD_SCHEMA, RECORD_SCHEMA } from '../codec.ts';
import type { Committed } from '../commit.ts';
import type { InstanceProgress, InstanceStatus, Member } from '../members.ts';
import type { LeaseRequest } from '../port.ts';
import type { Position } from '../position.ts';

/**
 * Clocks differ in speed, by a few hundred parts in a million at worst. The store keeps a lease for
 * longer than the instance trusts it, so that a lease that is gone there is surely over here.
 */
const DRIFT = { share: 0.005, leastMs: 20 } as const;

export function leaseTtlMs(leaseMs: number): number {
  return Math.ceil(leaseMs + Math.max(DRIFT.leastMs, leaseMs * DRIFT.share));
}

/** Longer than any lease, and than any step of a clock that is worth thinking of. */
const YEAR_MS = 31_536_000_000;
/** After so many renewals the count begins anew. */
const YEARS = 4_000;

/**
 * How long the key of a lease is kept. Nothing follows from its end, because the store counts by a
 * wall clock, which can be set. What counts is that it is another with every renewal, whatever that
 * clock does: the number of the renewal, in years, and then what is left of the lease, to be shown.
 *
 * A time to live and no value, because a Redis without room still takes PEXPIRE.
 *
 * @param renewals how often was renewed before
 */
export function renewalTtlMs(leaseMs: number, renewals: number): number {
  return YEAR_MS * (1 + (renewals % YEARS)) + leaseTtlMs(leaseMs);
}

/**
 * What an instance says of itself when it joins. `notesUses`: it tells the lists of accounts whom
 * it has let in, which earlier versions do not. `schema`: the highest of a record that it can read;
 * earlier versions, which do not say it, know the first alone.
 */
export function aboutFrom({ leaseMs, version = '' }: LeaseRequest): string {
  return JSON.stringify({ leaseMs, version, notesUses: true, schema: NEWEST_RECORD_SCHEMA });
}

/** Whether an instance tells the lists of accounts whom it has let in. */
export function notesUses(about: string): boolean {
  return about.includes('"notesUses":true');
}

interface About {
  readonly leaseMs: number;
  readonly version: string;
  readonly schema: number;
}

/**
 * A member that cannot be read stands in the way of no change, which is made by then: it is taken
 * for one with the longest lease that there can be, and waited for.
 */
const UNREADABLE: About = {
  leaseMs: LEASE_MS.max,
  version: 'unreadable',
  schema: NEWEST_RECORD_SCHEMA,
};

function readAbout(text: string): About {
  try {
    const { leaseMs, version, schema } = (JSON.parse(text) ?? {}) as {
      leaseMs?: unknown;
      version?: unknown;
      schema?: unknown;
    };
    if (typeof leaseMs === 'number' && leaseMs > 0 && leaseMs <= LEASE_MS.max)
      return {
        leaseMs,
        version: typeof version === 'string' ? version : '',
        schema: typeof schema === 'number' ? schema : RECORD_SCHEMA,
      };
  } catch {
    // Falls through to the one answer that there is.
  }
  return UNREADABLE;
}

/**
 * The script's answer after its first word: seq, epoch, then instance and what it says of itself in
 * turn.
 */
export function committedFrom(
  [seq, epoch, ...words]: readonly unknown[],
  tip: string,
  replicated: boolean,
): Committed {
  const members: Member[] = [];
  for (let index = 0; index < words.length; index += 2) {
    const instance = String(words[index]);
    members.push({ instance, leaseMs: readAbout(String(words[index + 1])).leaseMs });
  }
  return { committed: true, seq: Number(seq), epoch: String(epoch), tip, members, replicated };
}

/**
 * Replies of MGET on the acknowledgements, of HMGET on the members, and of PTTL and PEXPIRETIME on
 * each lease in turn.
 */
export function progressFrom(
  instances: readonly string[],
  acks: unknown,
  members: unknown,
  leases: readonly unknown[],
): readonly Progress[] {
  return instances.map((instance, index) => {
    const about = (members as (string | null)[])[index] ?? null;
    const [ttlMs, endMs] = [Number(leases[2 * index]), Number(leases[2 * index + 1])];
    return {
      instance,
      registered: about !== null,
      renewal: endMs < 0 ? null : String(endMs),
      leaseRemainingMs: about === null ? 0 : remainingMs(ttlMs, readAbout(about).leaseMs),
      applied: appliedFrom((acks as (string | null)[])[index] ?? null),
    };
  });
}

/** Years count renewals; more than the lease is left of a year when the lease has run out. */
function remainingMs(ttlMs: number, leaseMs: number): number {
  const leftMs = Math.max(0, ttlMs) % YEAR_MS;
  return leftMs <= leaseTtlMs(leaseMs) ? leftMs : 0;
}

interface Progress extends InstanceProgress {
  readonly leaseRemainingMs: number;
}

function appliedFrom(text: string | null): Position | null {
  const [seq = '', epoch = '', tip = ''] = text?.split(' ') ?? [];
  return epoch === '' || !Number.isSafeInteger(Number(seq))
    ? null
    : { epoch, seq: Number(seq), tip };
}

export function instancesFrom(
  about: ReadonlyMap<string, string>,
  progress: readonly InstanceProgress[],
): readonly InstanceStatus[] {
  return (progress as readonly Progress[])
    .filter(({ registered }) => registered)
    .map((one) => ({ ...one, ...readAbout(about.get(one.instance) ?? '') }))
    .sort((a, b) => (a.instance < b.instance ? -1 : 1));
}
