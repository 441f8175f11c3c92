import { StoreUnavailable } from './fault.ts';
import { classify } from './redis-fault.ts';
import { type Look, SharedLook } from './redis-look.ts';
import { addressText, type RedisAddress } from './redis-port.ts';
import type { Directory } from './redis-routed.ts';
import type { RedisManner } from './redis-server-driver.ts';
import { StandaloneConnection } from './redis-standalone.ts';

/** Sentinels answer at once or are not there. */
const COMMAND_TIMEOUT_MS = 500;
/**
 * How often the sentinels are asked unprompted: an old primary that is cut off from them answers
 * on, and nothing but they can tell.
 */
const POLL_MS = 1_000;

interface Answer {
  readonly primary: RedisAddress;
  /** Counts the failovers: the higher one is the newer. */
  readonly epoch: number;
}

interface SentinelPlace {
  readonly primary: string;
  readonly addresses: readonly RedisAddress[];
}

/** The one primary that a set of sentinels names. */
export class SentinelDirectory implements Directory {
  readonly spreadsKeys = false;
  readonly #place: SentinelPlace;
  readonly #sentinels: readonly StandaloneConnection[];
  readonly #look: SharedLook;
  readonly #poll: NodeJS.Timeout;
  readonly #listeners = new Set<(inUse: readonly RedisAddress[]) => void>();
  #known: Answer | null = null;
  #fault: StoreUnavailable | null = null;

  /** @param manner as the sentinels are spoken to */
  constructor(place: SentinelPlace, manner: RedisManner) {
    this.#place = place;
    const own = { ...manner, database: 0, blockMs: 0, commandTimeoutMs: COMMAND_TIMEOUT_MS };
    this.#sentinels = place.addresses.map((address) => new StandaloneConnection(address, own));
    this.#look = new SharedLook(() => this.#ask());
    this.#poll = setInterval(() => void this.#look.now(), POLL_MS);
    this.#poll.unref();
  }

  async known(): Promise<void> {
    if (this.#known === null) await this.#look.now();
    this.serverFor();
  }

  serverFor(): RedisAddress {
    if (this.#known !== null) return this.#known.primary;
    throw this.#fault ?? new StoreUnavailable('unreachable', null, 'no sentinel has answered yet');
  }

  /** Only servers of a Cluster say this. */
  moved(): void {}

  lookAgain(): Promise<void> {
    return this.#look.now();
  }

  onChange(listener: (inUse: readonly RedisAddress[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    clearInterval(this.#poll);
    this.#look.close();
    for (const sentinel of this.#sentinels) sentinel.close();
  }

  /**
   * The answer of the highest epoch among more than half of the sentinels; among all that answer
   * when they are fewer.
   */
  async #ask(): ReturnType<Look> {
    const faults: StoreUnavailable[] = [];
    const answers = await majority(
      this.#sentinels.map(async (sentinel) => this.#answerOf(sentinel)),
      (fault) => faults.push(classify(fault)),
    );
    const newest = answers.sort((a, b) => b.epoch - a.epoch)[0];
    if (newest === undefined) {
      this.#fault = this.#explain(faults);
      return;
    }
    // A minority may not know yet what we know.
    if (
      this.#known !== null &&
      newest.epoch < this.#known.epoch &&
      2 * answers.length <= this.#sentinels.length
    )
      return;
    const changed =
      this.#known === null || addressText(this.#known.primary) !== addressText(newest.primary);
    this.#known = newest;
    if (changed) for (const listener of this.#listeners) listener([newest.primary]);
  }

  async #answerOf(sentinel: StandaloneConnection): Promise<Answer> {
    const { primary: name } = this.#place;
    const address = (await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)) as
      | [string, string]
      | null;
    if (address === null) {
      throw new StoreUnavailable(
        'refused',
        null,
        `the sentinels know no primary named ${name} (store.sentinels.name)`,
      );
    }
    const fields = (await sentinel.call('SENTINEL', 'MASTER', name)) as string[];
    const epoch = Number(fields[fields.indexOf('config-epoch') + 1]);
    return {
      primary: { host: address[0], port: Number(address[1]) },
      epoch: Number.isNaN(epoch) ? 0 : epoch,
    };
  }

  /** What an answer says tells more than silence does. */
  #explain(faults: readonly StoreUnavailable[]): StoreUnavailable {
    const told = faults.find((fault) => fault.why !== 'unreachable');
    if (told?.code === null) return told;
    if (told !== undefined)
      return new StoreUnavailable(told.why, told.code, `of the sentinels: ${told.message}`);
    const codes = [...new Set(faults.map((fault) => fault.code ?? 'no answer in time'))].join(', ');
    return new StoreUnavailable(
      'unreachable',
      faults[0]?.code ?? null,
      `no sentinel can be reached (${codes})`,
    );
  }
}

/** Resolves as soon as more than half have answered, or when all have answered or failed. */
function majority<T>(
  asked: readonly Promise<T>[],
  onFault: (fault: unknown) => void,
): Promise<T[]> {
  return new Promise((resolve) => {
    const answers: T[] = [];
    let open = asked.length;
    const done = () => {
      open -= 1;
      if (open === 0 || 2 * answers.length > asked.length) resolve(answers);
    };
    for (const one of asked) {
      one.then((answer) => answers.push(answer), onFault).finally(done);
    }
  });
}
