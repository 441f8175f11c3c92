import { compilePrincipal } from '../../account/principal.ts';
import type { RegistrySource } from '../port.ts';
import type { Announced } from './announced.ts';
import { ABSENT, type Generation, UNAVAILABLE } from './generation.ts';
import type { LookupCounts } from './options.ts';
import type { Lookup } from './port.ts';
import type { Remembrance } from './remembrance.ts';
import { assertSameHistory, assertSameWay } from './same-history.ts';

interface ReadOptions {
  readonly source: Pick<RegistrySource, 'account'>;
  readonly announced: Announced;
  readonly remembered: Remembrance;
  readonly counts: LookupCounts;
  /** Reads under way at most; whoever comes then is told that nothing is known. */
  readonly maxLookups: number;
  /** Whether it is the one that counts, and counts now. */
  isCurrent(generation: Generation): boolean;
  /** A read failed, or showed another history than the one that is known. */
  failed(generation: Generation, fault: unknown): void;
}

/** Reads accounts that are not cached from the store: each once, however many ask for it. */
export class AccountReads {
  readonly #options: ReadOptions;

  constructor(options: ReadOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  of(generation: Generation, id: string): Lookup | Promise<Lookup> {
    const { pending } = generation;
    const known = pending.get(id)?.answer;
    if (known !== undefined) return known;
    if (pending.size >= this.#options.maxLookups) return this.#unavailable();
    const answer = this.#read(generation, id).finally(() => pending.delete(id));
    pending.set(id, { answer, newer: null });
    return answer;
  }

  async #read(generation: Generation, id: string): Promise<Lookup> {
    const { source, announced, remembered, isCurrent, failed } = this.#options;
    const appliedWhenSent = generation.appliedSeq;
    try {
      const read = await source.account(id);
      if (!isCurrent(generation)) return this.#unavailable();
      assertSameHistory(generation, read, appliedWhenSent);
      // A read that is ahead of the feed counts only once the feed has come to where it was made:
      // numbers alone are used again after a failover.
      if (read.seq > generation.appliedSeq) await announced.meet(generation, read.seq);
      if (!isCurrent(generation)) return this.#unavailable();
      assertSameWay(generation, read);
      const account = read.account === null ? null : remembered.against(read.account);
      const found: Lookup =
        account === null ? ABSENT : { found: 'account', account: compilePrincipal(account) };
      return generation.learn(id, found, read.seq);
    } catch (fault) {
      failed(generation, fault);
      return this.#unavailable();
    }
  }

  #unavailable(): Lookup {
    this.#options.counts.unavailable += 1;
    return UNAVAILABLE;
  }
}
