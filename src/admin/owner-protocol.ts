import { join, relative } from 'node:path';
import { ADMIN_ERROR_CODES, AdminError, type AdminErrorCode, type Fault } from './error.ts';

/**
 * What the command line and the owner of an embedded store say to each other: one JSON object per
 * line, requests answered in order.
 *
 * Request: `{ v, id, op, as, input }`. Answer: `{ v, id, result }` or `{ v, id, error: { code,
 * message, faults, users } }`. `follow` answers with any number of `{ v, id, item }` and ends with
 * the connection. Both sides are usually the same version, but a gate that was not restarted after
 * an upgrade is not: `v` says so before anything is misread.
 */
export const PROTOCOL_VERSION = 1;

export const OWNER_LIMITS = {
  /** Longest request line, in bytes: a declaration of 50,000 accounts fits. */
  requestBytes: 16 * 1024 * 1024,
  /**
   * Longest answer line, in bytes: a page of 500 accounts with all the grants they may have fits.
   */
  answerBytes: 32 * 1024 * 1024,
  connections: 32,
  /** Requests that one connection may have waiting. */
  waiting: 16,
  /** A connection that asks nothing for so long is closed. */
  idleMs: 60_000,
  /** How long the client waits for an answer, and for the connection. */
  answerMs: 30_000,
  /** Everything is read, in slices between calls. */
  verifyMs: 1_800_000,
  connectMs: 2_000,
} as const;

/** sockaddr_un.sun_path holds 108 bytes with its final NUL on Linux, 104 on macOS and BSD. */
const SOCKET_PATH_BYTES = process.platform === 'linux' ? 107 : 103;

const SOCKET_NAME = 'owner.sock';

/**
 * Where the owner of `dataDir` listens: as an absolute path or, where that is too long for a
 * socket, relative to the working folder. Throws `SocketPathTooLong` when neither fits.
 */
export function ownerSocketPath(dataDir: string): string {
  const path = join(dataDir, SOCKET_NAME);
  const fitting = [path, relative(process.cwd(), path)].find(
    (candidate) => Buffer.byteLength(candidate) <= SOCKET_PATH_BYTES,
  );
  if (fitting === undefined) throw new SocketPathTooLong(path);
  return fitting;
}

export class SocketPathTooLong extends Error {
  override readonly name = 'SocketPathTooLong';

  constructor(path: string) {
    super(
      `${path} is ${Buffer.byteLength(path)} bytes long, and a socket's path may have ${SOCKET_PATH_BYTES}: ` +
        'choose a shorter instance.dataDir, or start from a folder near it',
    );
  }
}

export interface OwnerRequest {
  readonly v: number;
  readonly id: number;
  readonly op: string;
  /**
   * The operating system's name of who asks; for the audit. Whoever can open the socket acts as the
   * store's owner.
   */
  readonly as: string;
  readonly input: unknown;
}

export interface WireError {
  readonly code: AdminErrorCode | 'internal';
  readonly message: string;
  readonly faults: readonly Fault[];
  readonly users: readonly string[];
  /** Absent where nothing waits, and from earlier versions. */
  readonly approval?: string;
}

export type OwnerAnswer = { readonly v: number; readonly id: number } & (
  | { readonly result: unknown }
  | { readonly item: unknown }
  | { readonly error: WireError }
);

/** What an error may say on the other side: the message of an `AdminError`, and of nothing else. */
export function toWire(error: unknown): WireError {
  if (error instanceof AdminError) {
    const { code, message, faults, users, approval } = error;
    return { code, message, faults, users, ...(approval === null ? {} : { approval }) };
  }
  return {
    code: 'internal',
    message: 'the running gate met an unexpected fault; its log says more',
    faults: [],
    users: [],
  };
}

export function fromWire(error: WireError): Error {
  const code = ADMIN_ERROR_CODES.find((known) => known === error.code);
  if (code === undefined) return new Error(error.message);
  return new AdminError(code, error.message, {
    faults: error.faults ?? [],
    users: error.users ?? [],
    ...(error.approval === undefined ? {} : { approval: error.approval }),
  });
}

/**
 * Cuts a stream of bytes into lines of UTF-8 of at most `limitBytes`; a longer one throws
 * `LineTooLong`.
 */
export class LineReader {
  readonly #limitBytes: number;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
      this.#keep(chunk.subarray(start, end));
      lines.push(Buffer.concat(this.#pieces).toString('utf8'));
      this.#pieces = [];
      this.#bytes = 0;
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
    return lines;
  }

  #keep(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#bytes > this.#limitBytes) throw new LineTooLong(this.#limitBytes);
    if (piece.length > 0) this.#pieces.push(piece);
  }
}

export class LineTooLong extends Error {
  override readonly name = 'LineTooLong';

  constructor(limitBytes: number) {
    super(`a line is longer than ${limitBytes} bytes`);
  }
}
