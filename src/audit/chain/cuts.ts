import type { Clock } from '../../clock.ts';
import { chainEvent } from '../event/chain-event.ts';
import { isoTime } from '../event/text.ts';
import type { Outbox } from '../port.ts';
import type { ChainKey } from './key.ts';
import { type CutPlace, trimText } from './signed.ts';
import type { Anchor, Cut, CutWitness } from './witness.ts';

interface CutsOptions {
  readonly outbox: Pick<Outbox, 'recordEnd'>;
  readonly instance: string;
  readonly clock: Clock;
  readonly key: ChainKey;
}

/**
 * A record that is as large as it may be is cut all the time: an event for each stream in ten
 * minutes.
 */
const TOLD_EVERY_MS = 600_000;

/** Signs cuts, and records them as events of the instance's own chain. */
export class Cuts implements CutWitness {
  readonly #options: CutsOptions;
  readonly #untold = new Map<string, Cut>();
  readonly #toldMs = new Map<string, number>();
  #ended = false;

  constructor(options: CutsOptions) {
    this.#options = options;
  }

  sign(stream: CutPlace['stream'], beforeMs: number): Anchor {
    return this.#anchor(stream, beforeMs, this.#options.clock.wallMs());
  }

  cut(cut: Cut): void {
    if (cut.count === 0 || this.#ended) return;
    const untold = this.#untold.get(cut.stream) ?? { ...cut, count: 0 };
    const beforeMs = Math.max(cut.beforeMs, untold.beforeMs);
    this.#untold.set(cut.stream, { ...cut, beforeMs, count: untold.count + cut.count });
    this.tell();
  }

  /** Records what is due. */
  tell(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [stream, cut] of this.#untold) {
      const toldMs = this.#toldMs.get(stream) ?? Number.NEGATIVE_INFINITY;
      if (!this.#ended && nowMs - toldMs < TOLD_EVERY_MS) continue;
      this.#untold.delete(stream);
      this.#toldMs.set(stream, nowMs);
      this.#record(cut);
    }
  }

  /** Records what is left. */
  end(): void {
    this.#ended = true;
    this.tell();
  }

  #record({ stream, beforeMs, count }: Cut): void {
    const { outbox, instance, clock } = this.#options;
    outbox.recordEnd((seq) => {
      const timeMs = clock.wallMs();
      const { trimmedBefore, key, signature } = this.#anchor(stream, beforeMs, timeMs);
      const type = 'log-trimmed';
      const facts = { type, count, stream, trimmedBefore, key, signature } as const;
      return chainEvent(instance, seq, timeMs, facts);
    }, null);
  }

  #anchor(stream: CutPlace['stream'], beforeMs: number, nowMs: number): Anchor {
    const { instance, key } = this.#options;
    const place = { instance, stream, trimmedBefore: isoTime(beforeMs), time: isoTime(nowMs) };
    return { ...place, key: key.id, signature: key.sign(trimText(place)) };
  }
}
