import { StoreUnavailable } from '../../../store/fault.ts';
import { type AuditKeys, auditKeys } from '../../../store/keys.ts';
import type { RedisConnection, RedisWord } from '../../../store/redis.ts';
import type { Anchor, CutWitness } from '../../chain/witness.ts';
import { AUDIT_PARTITIONS, streamName } from '../../partitions.ts';

export interface RedisAnchorsOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  /** Redis does not take what was signed, for another reason than memory. Called once. */
  readonly refused: (fault: Error) => void;
}

/** An anchor that another one stands for is kept for so long after it was signed. */
const KEPT_MS = 3600 * 1000;

/** Of one stream: the newest bound that was signed, as it is to lie beside the stream. */
interface Signed {
  readonly beforeMs: number;
  readonly line: string;
  isKept: boolean;
  /** Redis has no memory for it, or does not let this user: it is tried after the cut. */
  isRefused: boolean;
}

/**
 * What this instance has signed of what retention cuts, beside the streams that are cut. A Redis
 * without memory refuses it while it still cuts, and has to be cut to have memory again: so it is
 * written again after the cut, and with each look until it is there.
 */
export class RedisAnchors {
  readonly #options: RedisAnchorsOptions;
  readonly #keys: AuditKeys;
  readonly #signed = new Map<number, Signed>();
  readonly #tidied = new Set<number>();
  #isRefused = false;
  /** Null: cuts are neither signed nor told. */
  witness: CutWitness | null = null;

  constructor(options: RedisAnchorsOptions) {
    this.#options = options;
    this.#keys = auditKeys(options.prefix);
  }

  /** To be called before anything goes. Throws `StoreUnavailable` where Redis does not answer. */
  async sign(partition: number, beforeMs: number): Promise<void> {
    if (this.witness === null) return;
    let newest = this.#signed.get(partition);
    if (newest === undefined || newest.beforeMs < beforeMs) {
      const line = JSON.stringify(this.witness.sign(streamName(partition), beforeMs));
      newest = { beforeMs, line, isKept: false, isRefused: newest?.isRefused ?? false };
      this.#signed.set(partition, newest);
    }
    if (!newest.isKept && !newest.isRefused) await this.#keep(partition);
  }

  /** To be called after so many events went. Throws `StoreUnavailable` likewise. */
  async cut(partition: number, beforeMs: number, count: number): Promise<void> {
    if (count > 0) this.witness?.cut({ stream: streamName(partition), beforeMs, count });
    await this.keepAll([partition]);
  }

  /** Writes what Redis has not taken yet. Throws `StoreUnavailable` likewise. */
  async keepAll(partitions: Iterable<number> = this.#signed.keys()): Promise<void> {
    for (const partition of [...partitions])
      if (this.#signed.get(partition)?.isKept === false) await this.#keep(partition);
  }

  async #keep(partition: number): Promise<void> {
    const signed = this.#signed.get(partition)!;
    try {
      await this.#call('HSET', this.#keys.anchors(partition), instanceOf(signed), signed.line);
      signed.isKept = true;
      signed.isRefused = false;
      if (!this.#tidied.has(partition)) await this.#tidy(partition, signed);
      this.#tidied.add(partition);
    } catch (fault) {
      if (!(fault instanceof StoreUnavailable) || fault.why === 'unreachable') throw fault;
      signed.isRefused = !signed.isKept;
      if (fault.code === 'OOM' || this.#isRefused) return;
      this.#isRefused = true;
      this.#options.refused(fault);
    }
  }

  /** Instances come and go: what they signed goes once a newer one says the same and more. */
  async #tidy(partition: number, own: Signed): Promise<void> {
    const key = this.#keys.anchors(partition);
    const { time } = JSON.parse(own.line) as Anchor;
    const found = (await this.#call('HGETALL', key)) as readonly string[];
    for (let at = 0; at + 1 < found.length; at += 2) {
      const other = anchorIn(String(found[at + 1]));
      const isOld = other === null || Date.parse(time) - Date.parse(other.time) > KEPT_MS;
      if (isOld && !(Date.parse(other?.trimmedBefore ?? '') > own.beforeMs))
        await this.#call('HDEL', key, String(found[at]));
    }
  }

  #call(command: string, ...words: readonly RedisWord[]): Promise<unknown> {
    return this.#options.connection.call(command, ...words);
  }
}

/** All that lie beside the streams. */
export async function anchorsIn(
  call: (...words: [string, ...(string | number)[]]) => Promise<unknown>,
  prefix: string,
): Promise<readonly string[]> {
  const keys = auditKeys(prefix);
  const all = Array.from({ length: AUDIT_PARTITIONS }, async (_, partition) => {
    const found = (await call('HGETALL', keys.anchors(partition))) as readonly string[];
    return found.filter((_word, index) => index % 2 === 1).map(String);
  });
  return (await Promise.all(all)).flat();
}

function instanceOf({ line }: Signed): string {
  return (JSON.parse(line) as Anchor).instance;
}

function anchorIn(json: string): (Partial<Anchor> & Pick<Anchor, 'time'>) | null {
  try {
    const anchor = JSON.parse(json) as Partial<Anchor> | null;
    return typeof anchor?.time === 'string' ? { ...anchor, time: anchor.time } : null;
  } catch {
    return null;
  }
}
