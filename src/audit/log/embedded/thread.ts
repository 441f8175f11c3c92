import { Worker } from 'node:worker_threads';
import { AuditUnavailable } from '../../port.ts';
import type { WorkerAnswer, WorkerRequest, WorkerSettings } from './protocol.ts';

type Answered = Omit<Extract<WorkerAnswer, { closed?: unknown }>, 'id' | 'ok'>;

interface Waiting {
  resolve(answer: Answered): void;
  reject(fault: AuditUnavailable): void;
}

/** Requests that may be under way; past this the worker is taken to be stuck. */
const MAX_WAITING = 64;

/** Beside this file, with its own ending: `.ts` in the repository, `.js` when compiled. */
const ENTRY = import.meta.url.endsWith('.ts')
  ? new URL('./worker.ts', import.meta.url)
  : new URL('./worker.js', import.meta.url);

/**
 * The main thread's end of the audit worker. A worker that dies takes its requests with it
 * (`AuditUnavailable`, so the outbox sends them again) and is started anew by the next request. A
 * worker that hangs (a disk that does not answer) is given no second batch on top of the first.
 */
export class AuditWorker {
  readonly #entry: URL;
  readonly #settings: WorkerSettings;
  readonly #timeoutMs: number;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #up: PromiseWithResolvers<void> | null = null;
  #nextId = 1;
  #appending = false;
  #open = true;

  /** `entry`: the worker's program; another one only to see what happens when it fails. */
  constructor(settings: WorkerSettings, timeoutMs: number, entry: URL = ENTRY) {
    this.#entry = entry;
    this.#settings = settings;
    this.#timeoutMs = timeoutMs;
  }

  /** Starts the worker if none runs. Throws `AuditUnavailable` when it cannot open the file. */
  async ready(): Promise<void> {
    if (!this.#open) throw new AuditUnavailable('the audit log is closed');
    this.#up ??= this.#start();
    await this.#up.promise;
  }

  /** @param handedOver memory of the request that the worker gets itself instead of a copy */
  async ask(request: WorkerRequest, handedOver: readonly ArrayBuffer[] = []): Promise<Answered> {
    const deadline = new Deadline(this.#timeoutMs);
    try {
      return await Promise.race([this.#ask(request, handedOver), deadline.promise]);
    } finally {
      deadline.cancel();
    }
  }

  /** Lets the worker finish what it was given, at most `timeoutMs`, then ends it. */
  async close(timeoutMs: number): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    const worker = this.#worker;
    if (worker === null) return;
    const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.postMessage({ id: this.#nextId++, request: { op: 'close' } satisfies WorkerRequest });
    const deadline = new Deadline(timeoutMs);
    await Promise.race([gone, deadline.promise]).catch(() => worker.terminate());
    deadline.cancel();
  }

  async #ask(request: WorkerRequest, handedOver: readonly ArrayBuffer[]): Promise<Answered> {
    await this.ready();
    const append = request.op === 'append';
    if (append && this.#appending)
      throw new AuditUnavailable('the audit file is still busy with an earlier batch');
    if (this.#waiting.size >= MAX_WAITING)
      throw new AuditUnavailable('the audit file does not answer');
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<Answered>();
    this.#waiting.set(id, { resolve, reject });
    if (append) this.#appending = true;
    this.#worker?.postMessage({ id, request }, handedOver);
    try {
      return await promise;
    } finally {
      if (append) this.#appending = false;
    }
  }

  #start(): PromiseWithResolvers<void> {
    const up = Promise.withResolvers<void>();
    const worker = new Worker(this.#entry, { workerData: this.#settings, name: 'audit' });
    this.#worker = worker;
    let why = 'the audit worker ended';
    worker.on('message', (answer: WorkerAnswer) =>
      answer.id === 0 ? up.resolve() : this.#onAnswer(answer),
    );
    worker.on('error', (fault) => {
      why = `the audit file failed: ${fault instanceof Error ? fault.message : String(fault)}`;
    });
    worker.once('exit', () => this.#onExit(up, new AuditUnavailable(why)));
    return up;
  }

  #onAnswer(answer: WorkerAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return;
    this.#waiting.delete(answer.id);
    if (answer.ok) {
      const { id: _id, ok: _ok, ...answered }: { id: number; ok: true } & Answered = answer;
      waiting.resolve(answered);
    } else waiting.reject(new AuditUnavailable(`the audit file failed: ${answer.message}`));
  }

  #onExit(up: PromiseWithResolvers<void>, fault: AuditUnavailable): void {
    this.#worker = null;
    this.#up = null;
    up.reject(fault);
    // Nobody may be waiting for the start any more; a rejection without a listener would end the
    // process.
    up.promise.catch(() => {});
    for (const waiting of this.#waiting.values()) waiting.reject(fault);
    this.#waiting.clear();
  }
}

class Deadline {
  readonly promise: Promise<never>;
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number) {
    const { promise, reject } = Promise.withResolvers<never>();
    this.promise = promise;
    // Raced against; whoever has gone home no longer listens.
    promise.catch(() => {});
    this.#timer = setTimeout(
      // After a pause of the process the answer may be here: it is read first.
      () =>
        setImmediate(() =>
          reject(new AuditUnavailable(`no answer from the audit file within ${ms} ms`)),
        ),
      ms,
    );
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }
}
