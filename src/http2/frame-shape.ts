import { ERROR, type ErrorCode, FLAG, FRAME } from './frames.ts';

/** What breaks the protocol for a whole connection, in words for the log. */
interface FrameFault {
  readonly code: ErrorCode;
  readonly what: string;
}

const fault = (code: ErrorCode, what: string): FrameFault => ({ code, what });

/**
 * Why a frame can be none, whatever was before it: its stream, its size (RFC 9113 §6). Null: it can
 * be one. HEADERS, CONTINUATION and DATA are judged where they are read.
 */
export function shapeFault(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer,
): FrameFault | null {
  switch (type) {
    case FRAME.priority:
      return priorityFault(stream, payload);
    case FRAME.rstStream:
      if (stream === 0) return fault(ERROR.protocol, 'RST_STREAM of no stream');
      return payload.length === 4 ? null : sized('RST_STREAM has another size');
    case FRAME.settings:
      if (stream !== 0) return fault(ERROR.protocol, 'SETTINGS on a stream');
      return payload.length % 6 !== 0 || ((flags & FLAG.ack) !== 0 && payload.length > 0)
        ? sized('SETTINGS have another size')
        : null;
    case FRAME.ping:
      if (stream !== 0) return fault(ERROR.protocol, 'PING on a stream');
      return payload.length === 8 ? null : sized('PING has another size');
    case FRAME.goaway:
      if (stream !== 0) return fault(ERROR.protocol, 'GOAWAY on a stream');
      return payload.length >= 8 ? null : sized('GOAWAY is too short');
    case FRAME.windowUpdate:
      return payload.length === 4 ? null : sized('WINDOW_UPDATE has another size');
    case FRAME.pushPromise:
      return fault(ERROR.protocol, 'PUSH_PROMISE, which nobody asked for');
    default:
      return null;
  }
}

function sized(what: string): FrameFault {
  return fault(ERROR.frameSize, what);
}

function priorityFault(stream: number, payload: Buffer): FrameFault | null {
  if (stream === 0) return fault(ERROR.protocol, 'PRIORITY of no stream');
  if (payload.length !== 5) return sized('PRIORITY has another size');
  return (payload.readUInt32BE(0) & 0x7fff_ffff) === stream
    ? fault(ERROR.protocol, 'a stream that depends on itself')
    : null;
}
