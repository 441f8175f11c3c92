/**
 * Reads HTTP/1.1 messages out of recorded bytes, for tests. Stricter than any server, and on
 * purpose none of our own parser: a test that checked the wire engine with the wire engine would
 * believe its mistakes. What is not plainly one message is a fault, never a guess: no bare CR or
 * LF, one framing only, no chunk extensions.
 */
export interface MessageHead {
  /** Request line or status line, without the line break. */
  readonly line: string;
  /** Names as received, values trimmed, in order. */
  readonly fields: readonly (readonly [name: string, value: string])[];
}

export interface Message extends MessageHead {
  readonly body: Buffer;
  readonly trailers: readonly (readonly [name: string, value: string])[];
  /** Offset of the first byte after the message. */
  readonly end: number;
}

export type Reading<T> =
  | { readonly state: 'complete'; readonly message: T }
  /**
   * `needs`: the number of bytes below which it cannot be complete, as far as is known; 0 = not
   * known.
   */
  | { readonly state: 'incomplete'; readonly head: MessageHead | null; readonly needs: number }
  | { readonly state: 'fault'; readonly why: string };

type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' };

const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [\x21-\x7e]+ HTTP\/1\.[01]$/;
const STATUS_LINE = /^HTTP\/1\.[01] [1-5][0-9]{2}( [\t\x20-\x7e\x80-\xff]*)?$/;
const FIELD_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/;

/** The request that begins at `offset`. */
export function readRequest(bytes: Buffer, offset = 0): Reading<Message> {
  const head = readHead(bytes, offset, REQUEST_LINE);
  if (head.state !== 'complete') return head;
  const framing = framingOf(head.message.fields);
  if (typeof framing === 'string') return { state: 'fault', why: framing };
  return readBody(bytes, head.message, framing);
}

/**
 * The response that begins at `offset`. `method` is that of the request: a HEAD has no body.
 * `closed` says that the connection has ended in good order, which completes a body that only the
 * close delimits.
 */
export function readResponse(
  bytes: Buffer,
  {
    offset = 0,
    method = 'GET',
    closed = false,
  }: { offset?: number; method?: string; closed?: boolean } = {},
): Reading<Message> {
  const head = readHead(bytes, offset, STATUS_LINE);
  if (head.state !== 'complete') return head;
  const status = statusOf(head.message);
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304)
    return readBody(bytes, head.message, { kind: 'none' });
  const framing = framingOf(head.message.fields);
  if (typeof framing === 'string') return { state: 'fault', why: framing };
  const delimited = framing.kind !== 'none';
  if (delimited) return readBody(bytes, head.message, framing);
  if (!closed) return { state: 'incomplete', head: head.message, needs: 0 };
  return {
    state: 'complete',
    message: {
      ...head.message,
      body: bytes.subarray(head.message.end),
      trailers: [],
      end: bytes.length,
    },
  };
}

/**
 * All responses in `bytes`, interim ones included, to requests with these methods in order. Throws
 * on a fault or a rest.
 */
export function readResponses(
  bytes: Buffer,
  methods: readonly string[] = ['GET'],
  closed = true,
): Message[] {
  const messages: Message[] = [];
  let offset = 0;
  let answered = 0;
  while (offset < bytes.length) {
    const reading = readResponse(bytes, { offset, method: methods[answered] ?? 'GET', closed });
    if (reading.state !== 'complete') {
      throw new Error(
        `response ${messages.length + 1} is ${reading.state === 'fault' ? reading.why : 'incomplete'}: ${show(bytes, offset)}`,
      );
    }
    messages.push(reading.message);
    offset = reading.message.end;
    if (statusOf(reading.message) >= 200) answered++;
  }
  return messages;
}

export function statusOf(message: MessageHead): number {
  return Number(message.line.split(' ')[1]);
}

/** All values of a field, by name in any letter case. */
export function valuesOf(message: MessageHead, name: string): string[] {
  const wanted = name.toLowerCase();
  return message.fields
    .filter(([known]) => known.toLowerCase() === wanted)
    .map(([, value]) => value);
}

function readHead(
  bytes: Buffer,
  offset: number,
  firstLine: RegExp,
): Reading<MessageHead & { end: number }> {
  const end = bytes.indexOf('\r\n\r\n', offset, 'latin1');
  const text = bytes.toString('latin1', offset, end === -1 ? bytes.length : end);
  const lines = text.split('\r\n');
  const open = end === -1 ? lines.pop() : undefined;
  if (
    lines.some((line) => /[\r\n\0]/.test(line)) ||
    (open !== undefined && /[\n\0]|\r./s.test(open))
  ) {
    return { state: 'fault', why: `bare CR, LF or NUL in the head: ${show(bytes, offset)}` };
  }
  if (lines[0] !== undefined && !firstLine.test(lines[0]))
    return { state: 'fault', why: `first line: ${show(bytes, offset)}` };
  if (end === -1) return { state: 'incomplete', head: null, needs: 0 };
  const fields = readFields(lines.slice(1));
  if (fields === null) return { state: 'fault', why: `field line: ${show(bytes, offset)}` };
  return { state: 'complete', message: { line: lines[0]!, fields, end: end + 4 } };
}

function readFields(lines: readonly string[]): [string, string][] | null {
  const fields: [string, string][] = [];
  for (const line of lines) {
    const match = FIELD_LINE.exec(line);
    if (match === null) return null;
    fields.push([match[1]!, match[2]!]);
  }
  return fields;
}

function framingOf(fields: MessageHead['fields']): Framing | string {
  const head = { line: '', fields };
  const lengths = valuesOf(head, 'content-length');
  const codings = valuesOf(head, 'transfer-encoding');
  if (lengths.length + codings.length > 1)
    return `more than one framing: ${JSON.stringify([...lengths, ...codings])}`;
  const [length] = lengths;
  const [coding] = codings;
  if (coding !== undefined)
    return coding.toLowerCase() === 'chunked' ? { kind: 'chunked' } : `transfer coding ${coding}`;
  if (length === undefined) return { kind: 'none' };
  return /^[0-9]{1,15}$/.test(length)
    ? { kind: 'length', bytes: Number(length) }
    : `content length ${length}`;
}

function readBody(
  bytes: Buffer,
  head: MessageHead & { end: number },
  framing: Framing,
): Reading<Message> {
  if (framing.kind === 'chunked') return readChunks(bytes, head);
  const end = head.end + (framing.kind === 'length' ? framing.bytes : 0);
  if (bytes.length < end) return { state: 'incomplete', head, needs: end };
  return {
    state: 'complete',
    message: { ...head, body: bytes.subarray(head.end, end), trailers: [], end },
  };
}

function readChunks(bytes: Buffer, head: MessageHead & { end: number }): Reading<Message> {
  const chunks: Buffer[] = [];
  for (let at = head.end; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at, 'latin1');
    if (lineEnd === -1) return { state: 'incomplete', head, needs: 0 };
    const size = bytes.toString('latin1', at, lineEnd);
    if (!/^[0-9A-Fa-f]{1,12}$/.test(size))
      return { state: 'fault', why: `chunk size: ${show(bytes, at)}` };
    at = lineEnd + 2;
    const length = Number.parseInt(size, 16);
    if (length === 0) return readTrailers(bytes, at, head, Buffer.concat(chunks));
    if (bytes.length < at + length + 2)
      return { state: 'incomplete', head, needs: at + length + 2 };
    if (bytes.toString('latin1', at + length, at + length + 2) !== '\r\n') {
      return { state: 'fault', why: `no line break after a chunk: ${show(bytes, at + length)}` };
    }
    chunks.push(bytes.subarray(at, at + length));
    at += length + 2;
  }
}

function readTrailers(
  bytes: Buffer,
  offset: number,
  head: MessageHead,
  body: Buffer,
): Reading<Message> {
  const lines: string[] = [];
  for (let at = offset; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at, 'latin1');
    if (lineEnd === -1) return { state: 'incomplete', head, needs: 0 };
    const line = bytes.toString('latin1', at, lineEnd);
    at = lineEnd + 2;
    if (line !== '') {
      lines.push(line);
      continue;
    }
    const trailers = readFields(lines);
    if (trailers === null) return { state: 'fault', why: `trailer line: ${show(bytes, offset)}` };
    return {
      state: 'complete',
      message: { line: head.line, fields: head.fields, body, trailers, end: at },
    };
  }
}

function show(bytes: Buffer, offset: number): string {
  return JSON.stringify(bytes.toString('latin1', offset, offset + 120));
}
