import type { LookupFunction } from 'node:net';
import type { Agent, Dispatcher } from 'undici';
import type { Message } from './message.ts';
import type { Hook } from './port.ts';
import { assertReceiver, guardedLookup } from './receivers.ts';
import { signatureOf } from './signature.ts';

/**
 * What came of one attempt. `refused`: the receiver does not want this message, which further
 * attempts will hardly change.
 */
export type Attempt =
  | { readonly result: 'delivered' }
  | { readonly result: 'failed' | 'refused'; readonly why: string };

const SENDER_LIMITS = {
  /** From the look-up to the end of the response. In ms. */
  attemptMs: 10_000,
  /** Of a response, which is not looked at. */
  responseBytes: 64 * 1024,
} as const;

/** Statuses of 400 to 499 that say "later". */
const LATER: ReadonlySet<number> = new Set([408, 421, 425, 429]);

/**
 * Posts messages to one receiver. Follows no redirection, asks no proxy, and connects to nothing
 * but the addresses that were judged. The library is loaded with the first message.
 */
export class Sender {
  readonly #hook: Hook;
  readonly #lookup: LookupFunction;
  readonly #agentName: string;
  #agent: Promise<{ readonly agent: Agent; readonly request: Requesting }> | null = null;

  /** @param lookup of names; @param version ours, told to receivers */
  constructor(hook: Hook, lookup: LookupFunction, version: string) {
    this.#hook = hook;
    this.#lookup = guardedLookup(lookup, hook.networks);
    this.#agentName = `sallyport/${version}`;
  }

  async send(message: Message, nowMs: number, stop: AbortSignal): Promise<Attempt> {
    try {
      const url = new URL(this.#hook.url);
      assertReceiver(url, this.#hook.networks);
      this.#agent ??= this.#open();
      const { agent, request } = await this.#agent;
      const response = await request(url, {
        method: 'POST',
        dispatcher: agent,
        headers: this.#fields(message, Math.floor(nowMs / 1000)),
        body: message.body,
        signal: AbortSignal.any([stop, AbortSignal.timeout(SENDER_LIMITS.attemptMs)]),
      });
      const { statusCode, body } = response;
      // What is more ends the connection, and is no fault of the message.
      await body.dump({ limit: SENDER_LIMITS.responseBytes }).catch(() => {});
      return attemptOf(statusCode);
    } catch (error) {
      return { result: 'failed', why: whyOf(error) };
    }
  }

  async close(): Promise<void> {
    await (await this.#agent)?.agent.destroy();
  }

  async #open() {
    const { Agent, request } = await import('undici');
    const { ca } = this.#hook;
    const connect = { lookup: this.#lookup, timeout: SENDER_LIMITS.attemptMs };
    const agent = new Agent({
      connect: ca === null ? connect : { ...connect, ca },
      connections: 1,
      pipelining: 1,
      keepAliveTimeout: 30_000,
    });
    return { agent, request };
  }

  #fields({ id, body }: Message, seconds: number): Record<string, string> {
    return {
      'content-type': 'application/json',
      'user-agent': this.#agentName,
      'webhook-id': id,
      'webhook-timestamp': String(seconds),
      'webhook-signature': signatureOf(this.#hook.keys, id, seconds, body),
    };
  }
}

type Requesting = (
  url: URL,
  options: Omit<Dispatcher.RequestOptions, 'origin' | 'path'> & { readonly dispatcher: Agent },
) => Promise<Dispatcher.ResponseData>;

/** A redirection is a failure: events go nowhere but where the file says. */
function attemptOf(status: number): Attempt {
  if (status > 199 && status < 300) return { result: 'delivered' };
  const why = `status ${status}`;
  const isFinal = status > 399 && status < 500 && !LATER.has(status);
  return { result: isFinal ? 'refused' : 'failed', why };
}

/** In an operator's words: the system's code, or what it was. Holds nothing of the message. */
function whyOf(error: unknown): string {
  const { code, name, message, cause } = error as {
    readonly code?: unknown;
    readonly name: string;
    readonly message: string;
    readonly cause?: unknown;
  };
  if (name === 'TimeoutError') return 'no response in time';
  if (name === 'ReceiverRefused') return message;
  if (Object(cause).name === 'ReceiverRefused') return String(Object(cause).message);
  return typeof code === 'string' ? code : message.slice(0, 200);
}
