import type { Clock } from '../clock.ts';
import type { AdminActor } from './actor.ts';
import { AdminError } from './error.ts';

/** What is under way. */
export interface Running {
  /** Of this process, from 1 on. */
  readonly number: number;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  /** Name of who asked for it. */
  readonly by: string;
  /** Read so far, and about how many there are. */
  readonly events: number;
  readonly of: number;
}

/** What has ended: with a result, or with the fault that kept it from one. */
export interface Ended<Result> {
  readonly number: number;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly by: string;
  readonly fault: string | null;
  readonly result: Result | null;
}

/** What this process knows: it forgets with its end. */
export interface RunState<Result> {
  readonly running: Running | null;
  readonly last: Ended<Result> | null;
}

export type Progress = (done: number, of: number) => void;

export interface OneRunOptions {
  readonly clock: Clock;
  /** Told what nobody waits for: a fault of ours. */
  readonly onFault?: ((fault: unknown) => void) | undefined;
}

/** Work that reads the whole record: one at a time, whoever asks for it. */
export class OneRun<Result> {
  readonly #options: OneRunOptions;
  readonly #what: string;
  #number = 0;
  #running: Running | null = null;
  #last: Ended<Result> | null = null;

  /** @param what it is, as a message says it: `a verification` */
  constructor(what: string, options: OneRunOptions) {
    this.#what = what;
    this.#options = options;
  }

  get state(): RunState<Result> {
    return { running: this.#running, last: this.#last };
  }

  /** Begins it. Throws `conflict` at once while one is under way. */
  begin(
    actor: AdminActor,
    work: (progress: Progress) => Promise<Result>,
    progress: Progress = () => {},
  ): Promise<Result> {
    if (this.#running !== null) throw underWay(this.#what, this.#running);
    const startedAt = this.#now;
    this.#number += 1;
    const about = { number: this.#number, startedAt, by: actor.name };
    this.#running = { ...about, events: 0, of: 0 };
    const told: Progress = (events, of) => {
      this.#running = { ...about, events, of };
      progress(events, of);
    };
    return this.#carryOut(about, () => work(told));
  }

  /** Begins it in the background. Throws what `begin` throws at once. */
  start(begun: Promise<Result>): RunState<Result> {
    begun.catch((fault: unknown) => {
      if (!(fault instanceof AdminError)) this.#options.onFault?.(fault);
    });
    return this.state;
  }

  async #carryOut(
    about: Pick<Ended<Result>, 'number' | 'startedAt' | 'by'>,
    work: () => Promise<Result>,
  ): Promise<Result> {
    try {
      const result = await work();
      this.#last = { ...about, endedAt: this.#now, fault: null, result };
      return result;
    } catch (error) {
      const fault = error instanceof AdminError ? error.message : 'a fault of the gate itself';
      this.#last = { ...about, endedAt: this.#now, fault, result: null };
      throw error;
    } finally {
      this.#running = null;
    }
  }

  get #now(): string {
    return new Date(this.#options.clock.wallMs()).toISOString();
  }
}

function underWay(what: string, { startedAt, by, events, of }: Running): AdminError {
  const how = `${events} of about ${of} events are read`;
  const message = `${what} is under way (${how}; ${by} began it at ${startedAt}): wait for its end`;
  return new AdminError('conflict', message);
}
