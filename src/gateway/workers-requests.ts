import type { MetricPiece } from '../telemetry/text.ts';

interface Waiting {
  readonly pieces: MetricPiece[];
  resolve(value: unknown): void;
  reject(fault: Error): void;
}

/** What a worker was asked and has not said yet, by number. */
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
  ask(send: (id: number) => void, limitMs: number, pieces: MetricPiece[] = []): Promise<unknown> {
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
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

  answered(id: number, value: unknown): void {
    this.#waiting.get(id)?.resolve(value);
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
