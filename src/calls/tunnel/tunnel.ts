import type { TunnelPlaces } from '../../limits/tunnels.ts';
import type { RefusalReason } from '../../refusal.ts';
import { FrameFollower } from './frame-follower.ts';

/** RFC 6455 §7.4.1, and the IANA registry of WebSocket close codes. */
const CLOSE_CODES: Partial<Record<RefusalReason, number>> = {
  'request-timeout': 1001,
  'internal-fault': 1011,
  draining: 1012,
  // Its route has changed: whoever may is let in again.
  'upgrade-refused': 1012,
  'registry-unavailable': 1013,
  'registry-foreign': 1013,
  'audit-unavailable': 1013,
  'upstream-broken': 1014,
  'upstream-timeout': 1014,
};
/** It is not permitted any more. */
const POLICY_VIOLATION = 1008;

/**
 * What a call knows of the tunnel that it becomes: bytes in both directions, once its upstream has
 * agreed to another protocol. Bytes of a protocol that is not known here are passed on, and cut off
 * wherever they are; a WebSocket is told why it ends, between two of its frames.
 */
export class Tunnel {
  readonly #places: TunnelPlaces;
  readonly #account: string;
  /** Of what the client gets. Null: no WebSocket. */
  readonly #frames: FrameFollower | null;
  /** What the client was given ends with a frame. */
  #atBoundary: boolean;
  /** It is to end where the next frame does. */
  draining = false;

  /** @returns null when the account has as many as it may */
  static of(protocol: string, places: TunnelPlaces, account: string): Tunnel | null {
    return places.take(account) ? new Tunnel(protocol, places, account) : null;
  }

  /** Only with a place, which `close` gives back. */
  private constructor(protocol: string, places: TunnelPlaces, account: string) {
    this.#frames = protocol === 'websocket' ? new FrameFollower() : null;
    this.#atBoundary = this.#frames !== null;
    this.#places = places;
    this.#account = account;
  }

  /** Bytes for the client; given to it at the next `flushed()`, or never. */
  push(content: Buffer): void {
    this.#frames?.push(content);
  }

  flushed(): void {
    this.#atBoundary = this.#frames?.atBoundary === true;
  }

  /** A frame of ours may follow what the client was given. */
  get atBoundary(): boolean {
    return this.#atBoundary;
  }

  /** The last frame for the client; null = it can be given none, and is cut off. */
  lastWord(reason: RefusalReason): Buffer | null {
    if (!this.#atBoundary) return null;
    const code = CLOSE_CODES[reason] ?? POLICY_VIOLATION;
    return Buffer.of(0x88, 2, code >> 8, code & 0xff);
  }

  close(): void {
    this.#places.give(this.#account);
  }
}
