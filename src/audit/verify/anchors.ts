import * as z from 'zod';
import { trimText } from '../chain/signed.ts';
import { AUDIT_PARTITIONS, partitionOf, streamName } from '../partitions.ts';
import { hasSigned, type KnownKeys } from './keys.ts';

const streams = Array.from({ length: AUDIT_PARTITIONS }, (_, partition) => streamName(partition));

/** A signed word about a cut: an event of its writer, also kept beside the log. */
export const trimAnchor = z.object({
  instance: z.string().min(1),
  stream: z.enum([...streams, 'all']),
  trimmedBefore: z.iso.datetime(),
  time: z.iso.datetime(),
  key: z.string(),
  signature: z.string(),
});

export type TrimAnchor = Readonly<z.infer<typeof trimAnchor>>;

/** Null: the text is none. */
export function anchorIn(json: string): TrimAnchor | null {
  try {
    return trimAnchor.safeParse(JSON.parse(json)).data ?? null;
  } catch {
    return null;
  }
}

/**
 * What is younger than an anchor says by this much may be missing: a head is signed within ten
 * seconds of what it speaks of, and clocks differ.
 */
const SLACK_MS = 60_000;

/** Up to where logs may have been cut. */
export class Anchors {
  readonly #bounds = new Map<string, number>();
  /** Of what was signed after reading began. */
  readonly #late = new Map<string, number>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Before which anything was cut, as far as is known: UTC; null: nothing was. */
  get newest(): string | null {
    const newestMs = Math.max(...this.#bounds.values());
    return Number.isFinite(newestMs) ? new Date(newestMs).toISOString() : null;
  }

  /**
   * Answers what is wrong with it, as the end of a sentence; null: nothing is. What is false
   * accounts for nothing.
   *
   * @param late it came to be while the log was read
   */
  add(anchor: TrimAnchor, keys: KnownKeys, late = false): string | null {
    const { stream, key, signature, trimmedBefore, time } = anchor;
    const publicKey = keys.get(key);
    if (publicKey === undefined) return `is signed with the key ${key}, which nobody knows`;
    if (!hasSigned(publicKey, trimText(anchor), signature)) return 'has a signature that is false';
    const beforeMs = Date.parse(trimmedBefore);
    if (beforeMs > Math.min(Date.parse(time), this.#nowMs()) + SLACK_MS)
      return `speaks of a time to come, ${trimmedBefore}`;
    const bound = this.#bounds.get(stream) ?? Number.NEGATIVE_INFINITY;
    if (beforeMs <= bound) return null;
    this.#bounds.set(stream, beforeMs);
    if (late) this.#late.set(stream, beforeMs);
    return null;
  }

  /** What happened up to this time may have been cut, in ms since 1970; null: nothing was. */
  boundOf(instance: string): number | null {
    return newestOf(this.#bounds, instance);
  }

  /** Likewise, of what was cut while the log was read. */
  lateBoundOf(instance: string): number | null {
    return newestOf(this.#late, instance);
  }
}

function newestOf(bounds: ReadonlyMap<string, number>, instance: string): number | null {
  const own = bounds.get(streamName(partitionOf(instance))) ?? Number.NEGATIVE_INFINITY;
  const newest = Math.max(own, bounds.get('all') ?? Number.NEGATIVE_INFINITY);
  return newest === Number.NEGATIVE_INFINITY ? null : newest + SLACK_MS;
}
