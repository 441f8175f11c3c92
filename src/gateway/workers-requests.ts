import type { MetricPiece } from '../telemetry/text.ts';

interface Waiting {
  readonly pieces: MetricPiece[];
  resolve(): void;
  reject(fault: Error): void;
}

/** Requests to a worker that have no response yet, by number. */
export class WorkerRequests {
  readonly #worker: string;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;

  /** @param worker its name, for messages */
  constructor(worker: string) {
    this.#worker = worker;
  }

  /**
   * Rejects when the worker refuses, ends, or does not respond within `limitMs`.
   *
   * @param send sends the request with its number
   * @param pieces gets the metrics that come before the response
   */
  ask(send: (id: number) => void, limitMs: number, pieces: MetricPiece[] = []): Promise<void> {
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => reject(new Error(`${this.#worker} did not answer within ${limitMs} ms`)),
      limitMs,
    );
    this.#waiting.set(id, { pieces, resolve, reject });
    send(id);
    return promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(id);
    });
  }

  piece(id: number, piece: MetricPiece): void {
    this.#waiting.get(id)?.pieces.push(piece);
  }

  done(id: number): void {
    this.#waiting.get(id)?.resolve();
  }

  refused(id: number, why: string): void {
    this.#waiting.get(id)?.reject(new Error(why));
  }

  /** The worker has ended: nothing more will come. */
  ended(how: string): void {
    for (const { reject } of this.#waiting.values())
      reject(new Error(`${this.#worker} has ended (${how})`));
  }
}
