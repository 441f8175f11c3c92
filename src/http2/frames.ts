/** Kinds of frames (RFC 9113 §6). */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

/** RFC 9113 §7. */
export const ERROR = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  calm: 11,
} as const;
export type ErrorCode = (typeof ERROR)[keyof typeof ERROR];

/** RFC 9113 §6.5.2. */
export const SETTING = {
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowBytes: 4,
  maxFrameBytes: 5,
  maxFieldSectionBytes: 6,
  /** RFC 8441 §3. */
  enableConnectProtocol: 8,
} as const;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const HEADER_BYTES = 9;
/** The largest payload that everybody takes; we take, and send, no larger one. */
export const MAX_FRAME_BYTES = 16_384;
export const MAX_WINDOW_BYTES = 2 ** 31 - 1;
/** Of a stream and of a connection, as long as nothing else is said. */
export const FIRST_WINDOW_BYTES = 65_535;

/** Writes a frame's header at `at`. */
export function putHeader(
  to: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): void {
  to[at] = length >>> 16;
  to[at + 1] = length >>> 8;
  to[at + 2] = length;
  to[at + 3] = type;
  to[at + 4] = flags;
  to[at + 5] = stream >>> 24;
  to[at + 6] = stream >>> 16;
  to[at + 7] = stream >>> 8;
  to[at + 8] = stream;
}

/** A whole frame with a payload of numbers of 32 bits. */
export function numbersFrame(
  type: number,
  flags: number,
  stream: number,
  ...numbers: readonly number[]
): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + 4 * numbers.length);
  putHeader(frame, 0, 4 * numbers.length, type, flags, stream);
  for (const [index, number] of numbers.entries())
    frame.writeUInt32BE(number, HEADER_BYTES + 4 * index);
  return frame;
}

/** @param settings names and values */
export function settingsFrame(settings: readonly (readonly [number, number])[]): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + 6 * settings.length);
  putHeader(frame, 0, 6 * settings.length, FRAME.settings, 0, 0);
  for (const [index, [name, value]] of settings.entries()) {
    frame.writeUInt16BE(name, HEADER_BYTES + 6 * index);
    frame.writeUInt32BE(value, HEADER_BYTES + 6 * index + 2);
  }
  return frame;
}
