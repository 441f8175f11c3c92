import type { Clock } from '../clock.ts';
import { StoreUnavailable } from '../store/fault.ts';
import type { Log } from '../telemetry/log.ts';
import { Delivery, type DeliveryResult } from './delivery.ts';
import type { ExpiryWarnings } from './expiries.ts';
import type { EventSource, Hook, WebhookStore } from './port.ts';
import type { Sender } from './sender.ts';

/** In ms. */
const LEAD_TIMES = {
  /** Between two looks at what has come. */
  everyMs: 1_000,
  /** How long an instance delivers without having said so again. */
  leaseMs: 15_000,
  /** So often the lease is renewed, or asked for by who has it not. */
  renewMs: 5_000,
} as const;

export interface WebhooksOptions {
  readonly instance: string;
  readonly store: WebhookStore;
  readonly source: EventSource;
  readonly senderOf: (hook: Hook) => Sender;
  readonly clock: Clock;
  readonly count: (hook: string, result: DeliveryResult) => void;
  readonly log: Log;
  /** What else one instance alone does: it looks while that leads, and rests while it does not. */
  readonly leading: Pick<ExpiryWarnings, 'look' | 'rest'>;
}

/**
 * Tells receivers of events. Of all instances that could, the one that has the lease does; the
 * others ask for it, so that it passes on within seconds when that one ends.
 */
export class Webhooks {
  readonly #options: WebhooksOptions;
  #deliveries: readonly Delivery[] = [];
  readonly #running = new Map<Delivery, Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  /** Monotonic: until then this instance leads. */
  #leadsUntilMs = Number.NEGATIVE_INFINITY;
  #renewAtMs = Number.NEGATIVE_INFINITY;
  #stop = new AbortController();
  /** Ends what is under way when the lease does, also while nobody answers. */
  #lapse: NodeJS.Timeout | undefined;
  #looking: Promise<void> | null = null;
  #aside: Promise<void> | null = null;
  /** Those that were configured before: none of them goes on beside those of now. */
  #ending: Promise<unknown> = Promise.resolve();
  #isClosed = false;
  #isAway = false;

  constructor(options: WebhooksOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.look(), LEAD_TIMES.everyMs);
    this.#timer.unref();
  }

  get hooks(): readonly Hook[] {
    return this.#deliveries.map(({ hook }) => hook);
  }

  /** Takes over what is configured. What is under way is tried anew. */
  configure(hooks: readonly Hook[]): void {
    const former = this.#deliveries;
    this.#halt();
    this.#deliveries = hooks.map((hook) => {
      const { store, source, clock, log, count, senderOf } = this.#options;
      return new Delivery({
        ...{ hook, store, source, clock, log },
        sender: senderOf(hook),
        count: (result) => count(hook.name, result),
      });
    });
    const ended = Promise.all(former.map((delivery) => this.#end(delivery)));
    this.#ending = Promise.all([this.#ending, ended]);
  }

  /** Looks for the lease, and for what is due. One at a time. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#halt();
    await this.#looking;
    await this.#aside;
    await this.#ending;
    await Promise.all(this.#deliveries.map((delivery) => this.#end(delivery)));
    const { store, instance } = this.#options;
    await store.yield(instance).catch(() => {});
  }

  async #look(): Promise<void> {
    if (this.#isClosed) return;
    const { leading, log } = this.#options;
    await this.#ending;
    if (!(await this.#leads())) return leading.rest();
    for (const delivery of this.#deliveries) this.#begin(delivery);
    // Beside it: however long that takes, the lease is renewed meanwhile.
    this.#aside ??= leading
      .look()
      .catch((error: unknown) => log.error('who expires soon is not looked for', { error }))
      .finally(() => {
        this.#aside = null;
      });
  }

  async #leads(): Promise<boolean> {
    const { clock, store, instance } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#renewAtMs) return nowMs < this.#leadsUntilMs;
    const does = await this.#ask(() => store.lead(instance, LEAD_TIMES.leaseMs));
    if (does) this.#leadUntil(nowMs + LEAD_TIMES.leaseMs);
    else if (clock.monotonicMs() >= this.#leadsUntilMs || does === false) this.#halt();
    this.#renewAtMs = nowMs + LEAD_TIMES.renewMs;
    return does === true && clock.monotonicMs() < this.#leadsUntilMs;
  }

  #leadUntil(untilMs: number): void {
    this.#leadsUntilMs = untilMs;
    clearTimeout(this.#lapse);
    const leftMs = Math.max(0, untilMs - this.#options.clock.monotonicMs());
    this.#lapse = setTimeout(() => this.#halt(), leftMs);
    this.#lapse.unref();
  }

  /** Null: nobody knows. */
  async #ask(lead: () => Promise<boolean>): Promise<boolean | null> {
    const { log } = this.#options;
    try {
      const answer = await lead();
      this.#isAway = false;
      return answer;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      if (!this.#isAway) log.warn('who delivers webhooks cannot be asked', { error });
      this.#isAway = true;
      return null;
    }
  }

  #begin(delivery: Delivery): void {
    if (this.#running.has(delivery)) return;
    const { log } = this.#options;
    const run = delivery
      .run(this.#stop.signal)
      .catch((error: unknown) => log.error('a webhook is not delivered', { error }))
      .finally(() => this.#running.delete(delivery));
    this.#running.set(delivery, run);
  }

  /** Ends what is under way, and nothing begins until the lease is looked for again. */
  #halt(): void {
    clearTimeout(this.#lapse);
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#leadsUntilMs = Number.NEGATIVE_INFINITY;
    this.#renewAtMs = Number.NEGATIVE_INFINITY;
  }

  async #end(delivery: Delivery): Promise<void> {
    await this.#running.get(delivery);
    await delivery.close();
  }
}
