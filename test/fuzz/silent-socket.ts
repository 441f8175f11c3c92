import type { Socket } from 'node:net';

type Listener = (argument?: unknown) => void;

/**
 * As much of a socket as an upstream connection uses, without a system beneath: the fuzzer says
 * what comes and when.
 */
export class SilentSocket {
  readonly #listeners = new Map<string, Listener>();
  readonly writableNeedDrain = false;
  destroyed = false;

  on(event: string, listener: Listener): this {
    this.#listeners.set(event, listener);
    return this;
  }

  once(event: string, listener: Listener): this {
    return this.on(event, listener);
  }

  /** What comes after the end of the connection is not heard. */
  say(event: 'connect' | 'data' | 'end' | 'error', argument?: unknown): void {
    if (!this.destroyed) this.#listeners.get(event)?.(argument);
  }

  write(): boolean {
    return true;
  }

  destroy(): void {
    this.destroyed = true;
  }

  cork(): void {}
  uncork(): void {}
  pause(): void {}
  resume(): void {}

  get asSocket(): Socket {
    return this as unknown as Socket;
  }
}
