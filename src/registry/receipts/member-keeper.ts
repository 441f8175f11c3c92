import type { Clock } from '../../clock.ts';
import { type RegistryStore, RegistryUnavailable } from '../port.ts';
import { SilentMembers } from './silent-members.ts';

const INTERVAL_MS = 5_000;

/**
 * Takes off the list of members who went without a goodbye, so that the next revocation need not
 * wait for them. Only instances with the rights of an administrator do it, each by its own clock.
 */
export class MemberKeeper {
  readonly #store: Pick<RegistryStore, 'instances' | 'assurance' | 'forget'>;
  readonly #clock: Clock;
  readonly #silent = new SilentMembers();
  readonly #onFault: (fault: unknown) => void;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;

  constructor(
    store: Pick<RegistryStore, 'instances' | 'assurance' | 'forget'>,
    clock: Clock,
    onFault: (fault: unknown) => void,
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#onFault = onFault;
  }

  /** Looks every 5 s from now on, one look at a time, and keeps no process alive. */
  start(): void {
    const look = () => {
      this.#running ??= this.look()
        // That the store is away is said by whoever renews the lease.
        .catch((fault: unknown) => {
          if (!(fault instanceof RegistryUnavailable)) this.#onFault(fault);
        })
        .finally(() => {
          this.#running = null;
        });
    };
    this.#timer = setInterval(look, INTERVAL_MS).unref();
  }

  /** Throws `RegistryUnavailable`. */
  async look(): Promise<void> {
    const { marginMs } = await this.#store.assurance();
    const askedMs = this.#clock.monotonicMs();
    const { items } = await this.#store.instances();
    const answeredMs = this.#clock.monotonicMs();
    this.#silent.keep(new Set(items.map(({ instance }) => instance)));
    for (const progress of items) {
      const { instance, leaseMs, renewal } = progress;
      if (this.#silent.isSilent({ progress, leaseMs, askedMs, answeredMs }, marginMs))
        await this.#store.forget(instance, renewal);
    }
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#running;
  }
}
