import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Followed } from './activity.ts';
import type { AdminActor } from './actor.ts';
import { AdminError } from './error.ts';
import type { FollowItem, FollowObserver } from './follow-audit.ts';
import type { Progress } from './one-run.ts';
import {
  fromWire,
  LineReader,
  OWNER_LIMITS,
  type OwnerAnswer,
  ownerSocketPath,
  PROTOCOL_VERSION,
} from './owner-protocol.ts';
import type { AuditVerification } from './verify-audit.ts';

/** What is said over a running owner's socket, whatever can be asked there. */

/**
 * Null when no owner listens in `dataDir`: there is no file, or nobody listens on it. Throws
 * `unavailable` when one does and does not answer in time.
 */
export async function conversationWith(dataDir: string): Promise<Conversation | null> {
  const path = ownerSocketPath(dataDir);
  const socket = connect(path);
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(OWNER_LIMITS.connectMs) });
    return new Conversation(socket);
  } catch (error) {
    socket.destroy();
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTSOCK' || code === 'ENOTDIR')
      return null;
    const why = code === 'EACCES' ? 'it belongs to another user' : 'it does not answer';
    throw new AdminError('unavailable', `the running gate cannot be asked at ${path}: ${why}`, {
      cause: error,
    });
  }
}

const ANSWERS_WAITING = 1024;

/** One question at a time: the command line never has two. */
export class Conversation {
  readonly #socket: Socket;
  readonly #lines = new LineReader(OWNER_LIMITS.answerBytes);
  readonly #answers: OwnerAnswer[] = [];
  #fault: Error | null = null;
  #wake: () => void = () => {};
  #lastId = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.once('error', (error) => this.#fail(error));
    socket.once('close', () => this.#fail(null));
  }

  close(): void {
    this.#socket.destroy();
  }

  async ask(
    op: string,
    actor: AdminActor,
    input: unknown,
    withinMs: number = OWNER_LIMITS.answerMs,
  ): Promise<unknown> {
    const id = this.#send(op, actor, input);
    const answer = await this.#next(id, withinMs);
    if ('error' in answer) throw fromWire(answer.error);
    return 'result' in answer ? answer.result : null;
  }

  /** Each word of how far it has come renews its patience. */
  async verify(
    actor: AdminActor,
    input: object,
    progress: Progress = () => {},
  ): Promise<AuditVerification> {
    const id = this.#send('verifyAudit', actor, { ...input, tell: true });
    for (;;) {
      const answer = await this.#next(id, OWNER_LIMITS.verifyMs);
      if ('error' in answer) throw fromWire(answer.error);
      if ('result' in answer) return answer.result as AuditVerification;
      const { done, of } = answer.item as { done: number; of: number };
      progress(done, of);
    }
  }

  async followVerification(
    actor: AdminActor,
    input: object,
    observer: FollowObserver,
    signal: AbortSignal,
  ): Promise<void> {
    for await (const one of this.#items('followVerification', actor, input, signal)) {
      const item = one as FollowItem;
      if ('found' in item) observer.found(item.found);
      else if ('read' in item) observer.read(item.read);
      else observer.away(item.away);
    }
  }

  async *follow(actor: AdminActor, input: unknown, signal: AbortSignal): AsyncGenerator<Followed> {
    for await (const item of this.#items('follow', actor, input, signal)) yield item as Followed;
  }

  async *#items(
    op: string,
    actor: AdminActor,
    input: unknown,
    signal: AbortSignal,
  ): AsyncGenerator<unknown> {
    const stop = () => this.#socket.destroy();
    signal.addEventListener('abort', stop, { once: true });
    try {
      const id = this.#send(op, actor, input);
      while (!signal.aborted) {
        const answer = await this.#next(id, null);
        if ('error' in answer) throw fromWire(answer.error);
        if ('item' in answer) yield answer.item;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  #send(op: string, actor: AdminActor, input: unknown): number {
    const id = ++this.#lastId;
    this.#socket.write(
      `${JSON.stringify({ v: PROTOCOL_VERSION, id, op, as: actor.name, input })}\n`,
    );
    return id;
  }

  /**
   * The next answer to a question. Answers to an earlier one, given up on, are passed over; id 0
   * concerns the whole connection.
   */
  async #next(id: number, withinMs: number | null): Promise<OwnerAnswer> {
    const deadline =
      withinMs === null
        ? null
        : setTimeout(() => this.#fail(new Error('no answer in time')), withinMs);
    try {
      for (;;) {
        const answer = this.#answers.shift();
        if (this.#answers.length === 0) this.#socket.resume();
        if (answer !== undefined && (answer.id === id || answer.id === 0)) return answer;
        if (answer !== undefined) continue;
        if (this.#fault !== null) throw this.#fault;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      if (deadline !== null) clearTimeout(deadline);
    }
  }

  #take(chunk: Buffer): void {
    try {
      for (const line of this.#lines.push(chunk))
        this.#answers.push(JSON.parse(line) as OwnerAnswer);
    } catch (error) {
      this.#fail(error as Error);
      this.#socket.destroy();
    }
    // A follower whose output is slow must not gather the log in memory.
    if (this.#answers.length >= ANSWERS_WAITING) this.#socket.pause();
    this.#wake();
  }

  #fail(cause: Error | null): void {
    const why = cause === null ? 'it closed the connection' : cause.message;
    const unsure = 'if a change was under way, look before you repeat it';
    this.#fault ??= new AdminError(
      'unavailable',
      `the running gate does not answer (${why}); ${unsure}`,
      { cause },
    );
    this.#wake();
  }
}
