import { damaged } from './codec.ts';
import type {
  Committed,
  InstanceProgress,
  InstanceStatus,
  LeaseRequest,
  Member,
  Position,
} from './port.ts';

/**
 * Clocks differ in speed, by a few hundred parts in a million at worst. The store keeps a lease for
 * longer than the instance trusts it, so that a lease that is gone there is surely over here.
 */
const DRIFT = { share: 0.005, leastMs: 20 } as const;

export function leaseTtlMs(leaseMs: number): number {
  return Math.ceil(leaseMs + Math.max(DRIFT.leastMs, leaseMs * DRIFT.share));
}

/** What an instance says of itself when it joins. */
export function aboutFrom({ leaseMs, version = '' }: LeaseRequest): string {
  return JSON.stringify({ leaseMs, version });
}

/** Throws `RegistryUnavailable('damaged')`: a member that cannot be read cannot be waited for. */
function readAbout(
  instance: string,
  text: string,
): { readonly leaseMs: number; readonly version: string } {
  try {
    const { leaseMs, version } = JSON.parse(text) as { leaseMs?: unknown; version?: unknown };
    if (typeof leaseMs === 'number' && leaseMs > 0)
      return { leaseMs, version: typeof version === 'string' ? version : '' };
  } catch {
    // Falls through to the one fault that there is.
  }
  throw damaged(`the membership of instance ${instance}`);
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
    members.push({ instance, leaseMs: readAbout(instance, String(words[index + 1])).leaseMs });
  }
  return { committed: true, seq: Number(seq), epoch: String(epoch), tip, members, replicated };
}

/** Replies of MGET on the acknowledgements and of PTTL on each lease. */
export function progressFrom(
  instances: readonly string[],
  acks: unknown,
  ttls: readonly unknown[],
): readonly Progress[] {
  return instances.map((instance, index) => {
    const ttlMs = Number(ttls[index]);
    return {
      instance,
      registered: ttlMs >= 0,
      leaseRemainingMs: Math.max(0, ttlMs),
      applied: appliedFrom((acks as (string | null)[])[index] ?? null),
    };
  });
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
    .map((one) => ({ ...one, ...readAbout(one.instance, about.get(one.instance) ?? '') }))
    .sort((a, b) => (a.instance < b.instance ? -1 : 1));
}
