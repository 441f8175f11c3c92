import { ERROR, type ErrorCode, MAX_FRAME_BYTES, MAX_WINDOW_BYTES, SETTING } from './frames.ts';

/** What of the other end's SETTINGS concerns us (RFC 9113 §6.5.2). */
export interface PeerSettings {
  /** What it takes of each stream before it says more; null = as before. */
  readonly initialWindowBytes: number | null;
  /** Streams that we may have open at a time; null = as before. */
  readonly maxConcurrentStreams: number | null;
  /** It offers to push, or would take what is pushed. */
  readonly enablesPush: boolean;
  /** Whether it takes extended CONNECT (RFC 8441 §3); null = as before. */
  readonly takesConnect: boolean | null;
}

const LARGEST_FRAME_BYTES = 2 ** 24 - 1;

/**
 * Its table, its frames and its lists may be as large as it likes: we use the smallest of each. Of
 * several values for one setting the last one counts.
 */
export function peerSettings(payload: Buffer): PeerSettings | { readonly fault: ErrorCode } {
  let initialWindowBytes: number | null = null;
  let maxConcurrentStreams: number | null = null;
  let enablesPush = false;
  let takesConnect: boolean | null = null;
  for (let at = 0; at < payload.length; at += 6) {
    const name = payload.readUInt16BE(at);
    const value = payload.readUInt32BE(at + 2);
    if (name === SETTING.enablePush) {
      if (value > 1) return { fault: ERROR.protocol };
      enablesPush = value === 1;
    }
    if (name === SETTING.enableConnectProtocol) {
      if (value > 1) return { fault: ERROR.protocol };
      takesConnect = value === 1;
    }
    if (name === SETTING.maxConcurrentStreams) maxConcurrentStreams = value;
    if (name === SETTING.initialWindowBytes) {
      if (value > MAX_WINDOW_BYTES) return { fault: ERROR.flowControl };
      initialWindowBytes = value;
    }
    if (name === SETTING.maxFrameBytes && (value < MAX_FRAME_BYTES || value > LARGEST_FRAME_BYTES))
      return { fault: ERROR.protocol };
  }
  return { initialWindowBytes, maxConcurrentStreams, enablesPush, takesConnect };
}
