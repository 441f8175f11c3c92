import type { Socket } from 'node:net';
import type { Deadline, Watched } from '../deadlines.ts';
import { PREFACE } from '../http2/frames.ts';
import type { PlaceUse } from '../limits/places.ts';
import type { ConnectionHost, DoorConnection } from './connection.ts';
import { Lingering } from './lingering.ts';

/**
 * A connection to a port without TLS that has sent nothing yet: its first bytes say whether it
 * speaks HTTP/2. Nothing is half-open about it, as nothing is due but a request: clients open
 * connections ahead of one, and theirs are what silent connections of HTTP/1.1 are. They take a
 * place, are the first to make room for others, and end after `headTimeoutMs`.
 */
export class SilentConnection implements DoorConnection, Watched {
  readonly busy = false;
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  readonly #spoke: (isHttp2: boolean) => void;
  readonly #deadline: Deadline;
  #lingers = false;
  /** What has come, and does not tell yet. */
  #begun: Buffer | null = null;

  /** @param spoke its first bytes are here, and can be read from the socket. Told once at most */
  constructor(socket: Socket, host: ConnectionHost, spoke: (isHttp2: boolean) => void) {
    this.#socket = socket;
    this.#host = host;
    this.#spoke = spoke;
    this.#deadline = host.deadlines.watch(this, host.deadlines.nowMs + host.limits.headTimeoutMs);
    socket.on('error', this.#onGone);
    socket.on('close', this.#onGone);
  }

  /** Behind a PROXY preface its first bytes may be here already: then they are told at once. */
  listen(): void {
    this.#socket.on('readable', this.#onReadable);
    if (this.#socket.readableLength > 0) this.#onReadable();
  }

  get use(): PlaceUse {
    return this.#lingers ? 'busy' : 'silent';
  }

  readonly #onReadable = (): void => {
    const read = this.#socket.read() as Buffer | null;
    if (read === null) {
      this.destroy();
      return;
    }
    const first = this.#begun === null ? read : Buffer.concat([this.#begun, read]);
    const isPreface = isPrefaceAsFar(first);
    if (isPreface && first.length < PREFACE.length) {
      this.#begun = first;
      return;
    }
    this.#leave();
    this.#socket.unshift(first);
    this.#spoke(isPreface);
  };

  readonly #onGone = (): void => {
    this.destroy();
  };

  /** It is somebody else's from now on. */
  #leave(): void {
    this.#deadline.end();
    this.#socket.off('readable', this.#onReadable);
    this.#socket.off('error', this.#onGone);
    this.#socket.off('close', this.#onGone);
  }

  announceEnd(): void {}

  /** What is on its way is read and thrown away, so that our end is seen and no reset. */
  drain(): void {
    if (this.#lingers) return;
    this.#lingers = true;
    this.#deadline.untilMs = Number.POSITIVE_INFINITY;
    const { deadlines, limits } = this.#host;
    const lingering = new Lingering(this.#socket, deadlines, limits.idleTimeoutMs);
    this.#socket.off('readable', this.#onReadable);
    this.#socket.on('data', (chunk: Buffer) => lingering.drop(chunk));
    this.#socket.resume();
  }

  cutOff(): void {
    if (!this.#lingers) this.destroy();
  }

  expired(): void {
    this.destroy();
  }

  destroy(): void {
    this.#leave();
    // What has gone wrong with it is nobody's any more.
    this.#socket.on('error', () => {});
    this.#socket.destroy();
    this.#host.closed(this);
  }
}

/** Whether it is what every connection of HTTP/2 begins with (RFC 9113 §3.4), as far as it goes. */
function isPrefaceAsFar(first: Buffer): boolean {
  const told = Math.min(first.length, PREFACE.length);
  return first.subarray(0, told).equals(PREFACE.subarray(0, told));
}
