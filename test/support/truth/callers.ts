import { Agent, request } from 'node:http';

/** What one call looked like to its client. */
export interface ClientCall {
  readonly method: string;
  /** Of the answer; null: none came, or it bore none. */
  readonly requestId: string | null;
  /** Null: no head came. */
  readonly status: number | null;
  /** The stable reason of a refusal. */
  readonly reason: string | null;
  readonly bytes: number;
  /** The answer came to its end. */
  readonly whole: boolean;
}

/** What is asked for in turn; the last one is refused. */
const ASKED = [
  ['GET', '/all/read'],
  ['POST', '/all/write'],
  ['GET', '/nothing/there'],
] as const;

/** Calls one gate over kept connections until it is told to stop, and keeps what came back. */
export class Callers {
  readonly calls: ClientCall[] = [];
  readonly #agent = new Agent({ keepAlive: true });
  readonly #token: string;
  readonly #running: Promise<void>[] = [];
  #stopped = false;

  constructor(token: string) {
    this.#token = token;
  }

  /**
   * @param callers each asks for one thing at a time
   * @param perSecond of all of them together; null: as fast as answers come
   */
  start(port: number, callers: number, perSecond: number | null = null): void {
    const everyMs = perSecond === null ? 0 : (1000 * callers) / perSecond;
    for (let caller = 0; caller < callers; caller += 1)
      this.#running.push(this.#go(port, caller, callers, everyMs));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
    this.#agent.destroy();
  }

  async #go(port: number, caller: number, callers: number, everyMs: number): Promise<void> {
    // Not all of them in the same moment.
    let dueMs = performance.now() + (everyMs * caller) / callers;
    for (let number = caller; !this.#stopped; number += 1) {
      const [method, path] = ASKED[number % ASKED.length]!;
      const call = await this.call(port, method, path);
      dueMs += everyMs;
      const leftMs = dueMs - performance.now();
      // Who is late does not hurry: what is asked for is bounded.
      if (leftMs < 0) dueMs = performance.now();
      const restMs = call.status === null ? Math.max(20, leftMs) : leftMs;
      if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
    }
  }

  call(port: number, method: string, path: string): Promise<ClientCall> {
    return new Promise((resolve) => {
      const seen = { requestId: null as string | null, status: null as number | null };
      const chunks: Buffer[] = [];
      let over = false;
      const done = (whole: boolean) => {
        if (over) return;
        over = true;
        const body = Buffer.concat(chunks);
        const reason = whole ? reasonIn(body) : null;
        const call = { method, ...seen, reason, bytes: body.length, whole };
        this.calls.push(call);
        resolve(call);
      };
      const headers = { authorization: `Bearer ${this.#token}` };
      const asked = request({ port, method, path, headers, agent: this.#agent }, (answer) => {
        seen.status = answer.statusCode ?? null;
        seen.requestId = (answer.headers['x-request-id'] as string | undefined) ?? null;
        answer
          .on('data', (chunk: Buffer) => chunks.push(chunk))
          .on('end', () => done(answer.complete))
          .on('error', () => done(false));
      });
      asked.on('error', () => done(false)).on('close', () => done(false));
      asked.end(method === 'POST' ? 'body' : undefined);
    });
  }
}

function reasonIn(body: Buffer): string | null {
  if (body[0] !== 0x7b) return null;
  try {
    return (JSON.parse(body.toString()) as { reason?: string }).reason ?? null;
  } catch {
    return null;
  }
}
