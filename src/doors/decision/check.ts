import { type FieldName, FRAMING_FIELD, requestFieldNames } from '../../http/field-names.ts';
import { isZonelessAddress, plainAddress } from '../../http/ip-address.ts';
import type { Peer, RequestHead } from '../../http/request-head.ts';
import { type Asked, type AskFault, type Asking, askedAbout, isSecure } from './asked.ts';
import { readWireFields, type WireFields } from './protobuf.ts';

/**
 * Envoy's question over gRPC (`envoy.service.auth.v3.Authorization/Check`): a `CheckRequest`, of
 * which `attributes.request.http` and `attributes.source.address` are read.
 */
export const CHECK_PATH = '/envoy.service.auth.v3.Authorization/Check';

/** A head as large as Envoy takes it, and what else it may be set to say of a connection. */
export const CHECK_BYTES = 128 * 1024;
/** As in a head of our own doors. */
const MAX_FIELDS = 128;

const GRPC_TYPE = /^application\/grpc(?:\+proto)?$/i;
/** Whether it is compressed, and its length. */
const PREFIX_BYTES = 5;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;

/** Numbers of the fields that are read, by message. */
const REQUEST = { attributes: 1 } as const;
const ATTRIBUTES = { source: 1, request: 4 } as const;
const SOURCE = { address: 1 } as const;
const ADDRESS = { socketAddress: 1, address: 2 } as const;
const ABOUT = { http: 2 } as const;
const HTTP = {
  method: 2,
  headers: 3,
  path: 4,
  host: 5,
  scheme: 6,
  query: 7,
  fragment: 8,
  body: 11,
  rawBody: 12,
  headerMap: 13,
} as const;
const HEADER_MAP = { headers: 1 } as const;
const HEADER = { key: 1, value: 2, rawValue: 3 } as const;

const malformed = (detail: string): AskFault => ({ fault: 'request-malformed', detail });
const NO_MESSAGE = 'the CheckRequest is no message of protocol buffers';
const ONE_MESSAGE = 'a question over gRPC is one message, and not compressed';
const TWICE = 'a field of the CheckRequest stands twice';
const BOTH = 'what is asked about stands in two fields of the CheckRequest';
const DIFFER = 'the CheckRequest says two things of one request';
const HAS_BODY = 'a question has no body: the proxy must not be set to send it along';
const FIELD = 'a field of the request that is asked about is not valid';
const SCHEME = 'the scheme that is asked about is neither http nor https';
const ADDRESS_FORM = 'source.address is no IP address';

/** What of a head shows that no question follows; null: nothing does. */
export function checkFormFault(outer: RequestHead): AskFault | null {
  const { method, version, names, values, framing } = outer;
  if (method !== 'POST')
    return { fault: 'method-refused', detail: 'gRPC asks by POST', allow: ['POST'] };
  const types = names.flatMap(({ lower }, index) =>
    lower === 'content-type' ? [values[index]!] : [],
  );
  if (version !== '2' || types.length !== 1 || !GRPC_TYPE.test(types[0]!))
    return malformed('Check is asked by gRPC, which is application/grpc over HTTP/2');
  return framing.kind === 'none' ? malformed(ONE_MESSAGE) : null;
}

/** The request that Envoy asks about. */
export function readCheck(
  outer: RequestHead,
  body: Buffer,
  front: Peer,
  asking: Asking,
): Asked | AskFault {
  if (body.length < PREFIX_BYTES || body[0] !== 0) return malformed(ONE_MESSAGE);
  if (body.readUInt32BE(1) !== body.length - PREFIX_BYTES) return malformed(ONE_MESSAGE);
  const reader = new Reader();
  const attributes = reader.within(reader.read(body.subarray(PREFIX_BYTES)), REQUEST.attributes);
  const http = reader.within(reader.within(attributes, ATTRIBUTES.request), ABOUT.http);
  const address = reader.within(reader.within(attributes, ATTRIBUTES.source), SOURCE.address);
  const client = reader.text(reader.within(address, ADDRESS.socketAddress), ADDRESS.address);
  const said = readHttp(reader, http);
  if (reader.fault !== null) return reader.fault;
  if ('fault' in said) return said;
  if (client !== '' && !isZonelessAddress(plainAddress(client))) return malformed(ADDRESS_FORM);
  const { method, host, target, secure, fields } = said;
  const about = { ...outer, ...fields };
  return askedAbout(about, { method, host, target, secure, client: client || null }, asking, front);
}

/** Reads messages, and keeps the first thing that is wrong with any of them. */
class Reader {
  fault: AskFault | null = null;

  read(bytes: Buffer): WireFields {
    const fields = readWireFields(bytes);
    if (fields === null) this.fault ??= malformed(NO_MESSAGE);
    return fields ?? NOTHING;
  }

  within(fields: WireFields, number: number): WireFields {
    const bytes = this.#one(fields, number);
    return bytes === undefined ? NOTHING : this.read(bytes);
  }

  /** Byte for byte, as heads are kept; empty where it is not there, which means the same. */
  text(fields: WireFields, number: number): string {
    return this.#one(fields, number)?.toString('latin1') ?? '';
  }

  #one(fields: WireFields, number: number): Buffer | undefined {
    const values = fields.get(number);
    if (values !== undefined && values.length > 1)
      this.fault ??= { fault: 'request-ambiguous', detail: TWICE };
    return values?.[0];
  }
}

const NOTHING: WireFields = new Map();

interface SaidInCheck {
  readonly method: string;
  readonly host: string;
  readonly target: string;
  readonly secure: boolean;
  readonly fields: Pick<RequestHead, 'names' | 'values' | 'authorization' | 'userAgent'>;
}

function readHttp(reader: Reader, http: WireFields): SaidInCheck | AskFault {
  const [method, target, host, scheme, query, fragment, body, rawBody] = [
    ...[HTTP.method, HTTP.path, HTTP.host, HTTP.scheme],
    ...[HTTP.query, HTTP.fragment, HTTP.body, HTTP.rawBody],
  ].map((number) => reader.text(http, number)) as [string, string, string, ...string[]];
  if (query !== '' || fragment !== '') return { fault: 'request-ambiguous', detail: BOTH };
  if (body !== '' || rawBody !== '') return { fault: 'body-refused', detail: HAS_BODY };
  const secure = isSecure(scheme!);
  if (secure === null) return malformed(SCHEME);
  const pseudo = { ':method': method, ':path': target, ':authority': host, ':scheme': scheme! };
  const fields = readHeaders(reader, http, pseudo);
  return 'fault' in fields ? fields : { method, host, target, secure, fields };
}

/** Its fields, in whichever of the two ways Envoy was set to say them. */
function readHeaders(
  reader: Reader,
  http: WireFields,
  pseudo: Readonly<Record<string, string>>,
): SaidInCheck['fields'] | AskFault {
  const folded = http.get(HTTP.headers) ?? [];
  const raw = reader.within(http, HTTP.headerMap).get(HEADER_MAP.headers) ?? [];
  if (folded.length > 0 && raw.length > 0) return { fault: 'request-ambiguous', detail: BOTH };
  if (folded.length + raw.length > MAX_FIELDS)
    return { fault: 'headers-too-large', detail: 'more fields than a head may have' };
  const fields = new AskedFields(pseudo);
  for (const header of [...folded, ...raw]) {
    const pair = reader.read(header);
    const value = reader.text(pair, HEADER.value);
    const rawValue = reader.text(pair, HEADER.rawValue);
    if (value !== '' && rawValue !== '') return { fault: 'request-ambiguous', detail: BOTH };
    const fault = fields.add(reader.text(pair, HEADER.key), value || rawValue, folded.length > 0);
    if (fault !== null) return fault;
  }
  return fields;
}

/** The fields of the request that is asked about, as the doors of our own read them. */
class AskedFields {
  readonly names: FieldName[] = [];
  readonly values: string[] = [];
  authorization: string | null = null;
  userAgent: string | null = null;
  readonly #pseudo: Readonly<Record<string, string>>;
  readonly #seen = new Set<string>();

  constructor(pseudo: Readonly<Record<string, string>>) {
    this.#pseudo = pseudo;
  }

  /** @param isOnlyOne in this form each name has one value */
  add(text: string, value: string, isOnlyOne: boolean): AskFault | null {
    const lower = text.toLowerCase();
    const isPseudo = Object.hasOwn(this.#pseudo, lower);
    if (this.#seen.has(lower) && (isOnlyOne || isPseudo))
      return { fault: 'request-ambiguous', detail: TWICE };
    this.#seen.add(lower);
    if (isPseudo)
      return this.#pseudo[lower] === value ? null : { fault: 'request-ambiguous', detail: DIFFER };
    const name = requestFieldNames.get(text);
    if (name === null || CONTROL.test(value)) return malformed(FIELD);
    return this.#note(name, value);
  }

  #note(name: FieldName, value: string): AskFault | null {
    const { framing } = name;
    if (framing === FRAMING_FIELD.host && value !== this.#pseudo[':authority'])
      return { fault: 'request-ambiguous', detail: DIFFER };
    if (framing === FRAMING_FIELD.authorization) {
      if (this.authorization !== null) return { fault: 'request-ambiguous', detail: TWICE };
      this.authorization = value;
    }
    if (framing === FRAMING_FIELD.userAgent) this.userAgent ??= value;
    this.names.push(name);
    this.values.push(value);
    return null;
  }
}
