import { Fields } from '../../http/fields.ts';
import type { OwnResponse, Refused } from '../../http/outgoing.ts';
import type { RequestHead } from '../../http/request-head.ts';

/**
 * What callers of gRPC are told instead of a status of HTTP and problem details, neither of which
 * their libraries read: 200 and a status of gRPC in one section of fields, which ends the stream
 * ("Trailers-Only" in gRPC over HTTP/2).
 */

/** gRPC's status codes (google.rpc.Code). */
const CODE = {
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** By the status that the same refusal has in HTTP. `UNAVAILABLE` is what clients may repeat. */
const CODES: Readonly<Record<number, number>> = {
  400: CODE.invalidArgument,
  401: CODE.unauthenticated,
  403: CODE.permissionDenied,
  404: CODE.unimplemented,
  405: CODE.unimplemented,
  408: CODE.deadlineExceeded,
  413: CODE.resourceExhausted,
  414: CODE.invalidArgument,
  417: CODE.invalidArgument,
  421: CODE.unavailable,
  426: CODE.unimplemented,
  429: CODE.resourceExhausted,
  431: CODE.resourceExhausted,
  500: CODE.internal,
  501: CODE.unimplemented,
  502: CODE.unavailable,
  503: CODE.unavailable,
  504: CODE.deadlineExceeded,
};

/** @param status of a refusal in HTTP */
export function grpcCode(status: number): number {
  return CODES[status] ?? CODE.unknown;
}

const GRPC = /^application\/grpc(?:$|[+; ])/i;

/**
 * gRPC-Web is another protocol, with its own frames. And gRPC asks by POST: in response to a GET
 * somebody on the way could keep the 200 that a refusal is for a response that was permitted.
 */
export function isGrpc({ method, names, values }: RequestHead): boolean {
  if (method !== 'POST') return false;
  const index = names.findIndex(({ lower }) => lower === 'content-type');
  return index !== -1 && GRPC.test(values[index]!);
}

/** The fields of the one section; what says how to try again, and who was asked, stays. */
export function grpcFields({ status, fields: { list } }: OwnResponse, refused: Refused): Fields {
  const fields = new Fields().add('content-type', 'application/grpc');
  for (let index = 0; index < list.length; index += 2)
    if (list[index]!.toLowerCase() !== 'content-type') fields.add(list[index]!, list[index + 1]!);
  const { reason, title, detail } = refused;
  return fields
    .add('grpc-status', String(grpcCode(status)))
    .add('grpc-message', percentEncoded(detail === null ? title : `${title}: ${detail}`))
    .add('x-sallyport-reason', reason);
}

/** `Percent-Encoded` of gRPC over HTTP/2: all but the visible characters of ASCII and `%`. */
function percentEncoded(text: string): string {
  return text.replace(/[^ -$&-~]+/gu, (run) =>
    [...Buffer.from(run)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
}
