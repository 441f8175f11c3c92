import type { Clock } from '../../clock.ts';
import { Periodic } from '../../periodic.ts';
import { HOUR_MINUTES, minuteOf, WAITING_MINUTES_MAX } from '../times.ts';
import type { UsageMeter, UsageSketches } from './meter.ts';
import type { UsageStore, UsageTexts } from './port.ts';
import { encodeTable } from './text.ts';

export interface UsageRecorderOptions {
  readonly store: Pick<UsageStore, 'writeMinute'>;
  readonly instance: string;
  readonly clock: Clock;
  readonly meter: UsageMeter;
  /** Told once per outage. */
  readonly onFault: (fault: unknown) => void;
}

const FLUSH_EVERY_MS = 10_000;
/** Minutes. */
const SET_BACK_MAX = HOUR_MINUTES;

/**
 * Writes down who called, minute by minute, and the present minute every few seconds. A call's
 * minute is the one of the flush before it, so it may be off by one flush.
 */
export class UsageRecorder {
  readonly #options: UsageRecorderOptions;
  readonly #waiting = new Map<number, UsageTexts>();
  readonly #writing: Periodic;
  #minute: number;
  /** How many calls of the present minute are written, or wait. */
  #told = 0;
  #failing = false;

  constructor(options: UsageRecorderOptions) {
    this.#options = options;
    this.#minute = this.#now();
    this.#writing = new Periodic(() => this.#flush(), FLUSH_EVERY_MS);
  }

  /** Never rejects. */
  flush(): Promise<void> {
    return this.#writing.now();
  }

  /** Writes the last counts, as well as can be. */
  close(): Promise<void> {
    return this.#writing.close();
  }

  async #flush(): Promise<void> {
    const minute = this.#following();
    const { meter, instance } = this.#options;
    if (minute === this.#minute) await this.#gather(minute, meter.sketches);
    else {
      const over = this.#minute;
      this.#minute = minute;
      await this.#gather(over, meter.take());
      this.#told = 0;
    }
    for (const [waiting, texts] of [...this.#waiting]) {
      if (!(await this.#write(waiting, instance, texts))) return;
      this.#waiting.delete(waiting);
    }
  }

  async #gather(minute: number, sketches: UsageSketches): Promise<void> {
    const calls = callsIn(sketches);
    if (calls === this.#told) return;
    this.#told = calls;
    this.#waiting.set(minute, await textsOf(sketches));
    // Some 20 KiB each.
    const { size } = this.#waiting;
    const oldest = size > WAITING_MINUTES_MAX ? this.#waiting.keys().next().value : undefined;
    if (oldest !== undefined) this.#waiting.delete(oldest);
  }

  async #write(minute: number, instance: string, texts: UsageTexts): Promise<boolean> {
    try {
      await this.#options.store.writeMinute(minute, instance, texts);
      this.#failing = false;
      return true;
    } catch (fault) {
      if (!this.#failing) this.#options.onFault(fault);
      this.#failing = true;
      return false;
    }
  }

  /**
   * A clock that was set back must not bring back minutes that are written: they would be written
   * over. So the minute stays until the clock has come there again, but for an hour at most.
   */
  #following(): number {
    const now = this.#now();
    return now < this.#minute && this.#minute - now <= SET_BACK_MAX ? this.#minute : now;
  }

  #now(): number {
    return minuteOf(this.#options.clock.wallMs());
  }
}

function callsIn({ account, application, route }: UsageSketches): number {
  return account.calls + application.calls + route.calls;
}

async function textsOf({ account, application, route }: UsageSketches): Promise<UsageTexts> {
  return {
    account: await encodeTable(account.table()),
    application: await encodeTable(application.table()),
    route: await encodeTable(route.table()),
  };
}
