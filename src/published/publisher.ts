import type { Clock } from '../clock.ts';
import type { Route } from '../decision/route.ts';
import { Periodic } from '../periodic.ts';
import { type PublishedStore, TOLD_EVERY_MS } from './port.ts';
import { type RoutesText, routesText } from './text.ts';

export interface PublisherOptions {
  readonly store: PublishedStore;
  readonly instance: string;
  readonly clock: Clock;
  /** Told once per outage. */
  readonly onFault: (fault: unknown) => void;
}

/** Routes in force, and their text once it was made. */
interface InForce {
  readonly routes: readonly Route[];
  sinceMs: number;
  text?: RoutesText | null;
}

/**
 * Says every few seconds which routes the instance has in force, in the background: no call knows
 * of it. What could not be said is said the next time.
 */
export class RoutePublisher {
  readonly #options: PublisherOptions;
  readonly #saying: Periodic;
  #inForce: InForce | null = null;
  #said: InForce | null = null;
  #ended = false;
  #failing = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#saying = new Periodic(() => this.#say(), TOLD_EVERY_MS);
  }

  /** These routes are in force from now on, or none, of which nothing is said. Says so soon. */
  show(routes: readonly Route[]): void {
    this.#inForce = { routes, sinceMs: this.#options.clock.wallMs() };
    void this.say();
  }

  /** Never rejects. */
  say(): Promise<void> {
    return this.#saying.now();
  }

  /** Takes back what it has said, as well as can be. */
  close(): Promise<void> {
    this.#ended = true;
    return this.#saying.close();
  }

  async #say(): Promise<void> {
    try {
      if (this.#ended) await this.#options.store.withdraw(this.#options.instance);
      else await this.#publish();
      this.#failing = false;
    } catch (fault) {
      if (!this.#failing) this.#options.onFault(fault);
      this.#failing = true;
    }
  }

  async #publish(): Promise<void> {
    const { store, instance, clock } = this.#options;
    // A reload meanwhile brings others: then these were in force until now.
    for (let said: InForce | null = null; said !== this.#inForce && !this.#ended; ) {
      said = this.#inForce;
      if (said === null) return;
      if (said.routes.length === 0) {
        await store.withdraw(instance);
        continue;
      }
      const { routes, sinceMs, text = null } = await this.#inWords(said);
      const by = { instance, routes: routes.length, table: text?.digest ?? null, sinceMs };
      await store.publish({ ...by, toldMs: clock.wallMs() }, text?.text ?? null);
    }
  }

  /** A reload that brings the same routes changes nothing: they have been in force before it. */
  async #inWords(one: InForce): Promise<InForce> {
    if (one.text === undefined) {
      one.text = await routesText(one.routes);
      const before = this.#said?.text ?? null;
      if (before !== null && before.digest === one.text?.digest) one.sinceMs = this.#said!.sinceMs;
      this.#said = one;
    }
    return one;
  }
}
