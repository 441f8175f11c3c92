import { Fields } from '../http/fields.ts';
import type { OutgoingRequest } from '../http/outgoing.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { Trailers } from '../http/trailers.ts';

/** What a response says of the address that it came from. */
export interface HealthVerdict {
  readonly passed: boolean;
  /** For the log. */
  readonly why: string;
}

/** What an address is asked in a check, and what it is to say. */
export interface HealthQuestion {
  /** The only one of its connection. */
  readonly request: OutgoingRequest;
  /** Of the request; null: it has none. */
  readonly content: Buffer | null;
  /** Null: what follows the head has to be seen. */
  ofHead(head: ResponseHead): HealthVerdict | null;
  ofWhole(content: Buffer, trailers: Trailers | null): HealthVerdict;
}

/** @param own fields of the configuration for this upstream; null: none */
function checkFields(own: Fields | null): Fields {
  const fields = new Fields();
  if (own !== null) fields.addAll(own);
  return fields.add('User-Agent', 'sallyport-health-check');
}

/**
 * By GET: any status below 400 is healthy, and the body is not waited for.
 *
 * @param path origin-form target
 */
export function httpQuestion(path: string, host: string, own: Fields | null): HealthQuestion {
  const request: OutgoingRequest = {
    method: 'GET',
    target: path,
    host,
    fields: checkFields(own),
    framing: { kind: 'none', declared: false },
    upgrade: null,
    isLast: true,
    takesTrailers: false,
  };
  // What does its work or sends elsewhere is well (RFC 9110 §15.3, §15.4).
  const ofHead = ({ status }: ResponseHead) => ({ passed: status < 400, why: `status ${status}` });
  return { request, content: null, ofHead, ofWhole: () => NOTHING_SAID };
}

const NOTHING_SAID: HealthVerdict = { passed: false, why: 'no reply to the check' };

/** Words of `HealthCheckResponse.ServingStatus`, by their numbers. */
const SERVING_STATUS = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;
/** A message of gRPC that is not compressed: its length in four bytes, then field 1, a number. */
const PREFIX_BYTES = 5;
const STATUS_FIELD = 0x08;

/**
 * By `grpc.health.v1.Health/Check` (grpc/grpc, doc/health-checking.md): `SERVING` is healthy, and
 * nothing else, in a call whose own status is OK.
 *
 * @param service its name; empty: the server as a whole
 * @param timeoutMs told to the server
 */
export function grpcQuestion(
  service: string,
  timeoutMs: number,
  host: string,
  own: Fields | null,
): HealthQuestion {
  const request: OutgoingRequest = {
    method: 'POST',
    target: '/grpc.health.v1.Health/Check',
    host,
    fields: checkFields(own)
      .add('Content-Type', 'application/grpc')
      .add('Grpc-Timeout', `${timeoutMs}m`),
    // As clients of gRPC frame it: no length is told.
    framing: { kind: 'chunked' },
    upgrade: null,
    isLast: true,
    takesTrailers: true,
  };
  return { request, content: checkMessage(service), ofHead: grpcHead, ofWhole: grpcWhole };
}

/** `HealthCheckRequest`: field 1 is the service; an empty one is left out. */
function checkMessage(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.of(0x0a, name.length), name]);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** The call's status stands in the head where nothing else is said ("Trailers-Only"). */
function grpcHead(head: ResponseHead): HealthVerdict | null {
  if (head.status !== 200) return { passed: false, why: `status ${head.status}` };
  const status = grpcStatus(head);
  return status === null ? null : { passed: false, why: `grpc-status ${status}` };
}

function grpcWhole(content: Buffer, trailers: Trailers | null): HealthVerdict {
  const status = trailers === null ? null : grpcStatus(trailers);
  if (status !== '0')
    return status === null ? NOTHING_SAID : { passed: false, why: `grpc-status ${status}` };
  const served = servingStatus(content);
  return { passed: served === 'SERVING', why: served ?? NOTHING_SAID.why };
}

const GRPC_STATUS = /^[0-9]{1,3}$/;

function grpcStatus({ names, values }: Trailers): string | null {
  const index = names.findIndex(({ lower }) => lower === 'grpc-status');
  const value = index === -1 ? null : values[index]!;
  return value === null || GRPC_STATUS.test(value) ? value : '?';
}

/** Null: it is no message that says so. The number 0 is left out. */
function servingStatus(content: Buffer): string | null {
  if (content.length < PREFIX_BYTES || content[0] !== 0) return null;
  const message = content.subarray(PREFIX_BYTES);
  if (content.readUInt32BE(1) !== message.length) return null;
  if (message.length === 0) return SERVING_STATUS[0];
  if (message.length !== 2 || message[0] !== STATUS_FIELD) return null;
  return SERVING_STATUS[message[1]!] ?? null;
}
