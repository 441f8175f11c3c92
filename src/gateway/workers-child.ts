import { fork } from 'node:child_process';
import type { Clock } from '../clock.ts';
import type { Readiness } from '../ops/readiness.ts';
import type { MetricsSnapshot } from '../telemetry/aggregate.ts';
import type { MetricPiece } from '../telemetry/text.ts';
import type { FromWorker, ToWorker } from './workers-protocol.ts';
import { WorkerRequests } from './workers-requests.ts';

type Asking<Message> = Message extends { readonly id: number } ? Omit<Message, 'id'> : never;

const ENTRY = import.meta.url.endsWith('.ts')
  ? new URL('./workers-process.ts', import.meta.url)
  : new URL('./workers-process.js', import.meta.url);

/** A worker that was silent for so long serves no calls. */
const SILENT_MS = 5_000;
const RESPONSE_MS = 10_000;

/** One process of a worker, from its start to its end. */
export class WorkerChild {
  readonly #clock: Clock;
  readonly #process = fork(ENTRY, [], {
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  readonly #requests: WorkerRequests;
  readonly #opened = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<string>();
  /** By the monotonic clock; null: its gate is not open. */
  #openedMs: number | null = null;
  #heardMs = 0;
  #readiness: Readiness | null = null;
  #failure: string | null = null;

  /** @param name of the worker, for messages */
  constructor(name: string, clock: Clock, start: ToWorker & { kind: 'start' }) {
    this.#clock = clock;
    this.#requests = new WorkerRequests(name);
    // Only the first process is waited for; the failure of a later one is told by `ended`.
    this.#opened.promise.catch(() => {});
    this.#process.on('message', (message: FromWorker) => this.#onMessage(message));
    this.#process.on('error', (fault) => {
      this.#failure = fault.message;
      // One that could not be started has no exit.
      if (this.#process.pid === undefined) this.#onEnd(name, 'not started');
    });
    this.#process.once('exit', (code, signal) => this.#onEnd(name, signal ?? `exit code ${code}`));
    this.tell(start);
  }

  /** Resolves when its gate is open; rejects with the reason when it cannot be opened. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** Resolves when the process has ended: with what it said itself, else with how it ended. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  get isOpen(): boolean {
    return this.#openedMs !== null;
  }

  /** How long its gate has been open, in ms. */
  get openMs(): number {
    return this.#openedMs === null ? 0 : this.#clock.monotonicMs() - this.#openedMs;
  }

  /** How long nothing has come from an open gate, in ms. */
  get silentMs(): number {
    return this.#openedMs === null ? 0 : this.#clock.monotonicMs() - this.#heardMs;
  }

  /** This process did not run, so the worker's silence says nothing. */
  forgiveSilence(): void {
    this.#heardMs = this.#clock.monotonicMs();
  }

  /** Of an open gate: null when it serves, else why it does not. */
  get trouble(): string | null {
    if (this.silentMs > SILENT_MS) return 'does not answer';
    if (this.#readiness === null || this.#readiness.ready) return null;
    const failed = this.#readiness.checks.flatMap((check) =>
      check.state === 'failed' ? [`${check.name}: ${check.why}`] : [],
    );
    return failed.join('; ');
  }

  /** What it serves without: secrets that it has not taken over. Null when there is nothing. */
  get pending(): string | null {
    const check = this.#readiness?.checks.find(({ name }) => name === 'secrets');
    return check === undefined || check.state === 'ok' ? null : check.why;
  }

  tell(message: ToWorker): void {
    // A process that is ending hears nothing, and need not.
    if (this.#process.connected) this.#process.send(message, () => {});
  }

  /** Rejects when it refuses, ends, or does not respond in time. */
  async ask(message: Asking<ToWorker>): Promise<void> {
    await this.#ask(message, RESPONSE_MS);
  }

  /** Null: it did not respond within `limitMs`. */
  async metrics(limitMs: number): Promise<MetricsSnapshot | null> {
    const pieces: MetricPiece[] = [];
    return this.#ask({ kind: 'metrics' }, limitMs, pieces).then(
      () => pieces,
      () => null,
    );
  }

  #ask(message: Asking<ToWorker>, limitMs: number, pieces?: MetricPiece[]): Promise<void> {
    return this.#requests.ask((id) => this.tell({ ...message, id } as ToWorker), limitMs, pieces);
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #onEnd(name: string, how: string): void {
    const why = this.#failure ?? how;
    this.#opened.reject(new Error(`${name}: ${why}`));
    this.#requests.ended(how);
    this.#ended.resolve(why);
  }

  #onMessage(message: FromWorker): void {
    this.#heardMs = this.#clock.monotonicMs();
    switch (message.kind) {
      case 'opened':
        this.#openedMs = this.#heardMs;
        this.#opened.resolve();
        break;
      case 'failed':
        this.#failure = message.why;
        break;
      case 'status':
        this.#readiness = message.readiness;
        break;
      case 'metrics':
        this.#requests.piece(message.id, message.piece);
        break;
      case 'response':
        this.#requests.done(message.id);
        break;
      case 'refused':
        this.#requests.refused(message.id, message.why);
        break;
    }
  }
}
