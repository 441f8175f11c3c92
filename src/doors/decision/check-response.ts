import { Fields } from '../../http/fields.ts';
import type { OwnResponse } from '../../http/outgoing.ts';
import { isRemoved } from '../../http/removed-fields.ts';
import type { RequestHead } from '../../http/request-head.ts';
import type { ResponseHead } from '../../http/response-head.ts';
import { grpcCode } from '../http2/grpc.ts';
import { delimited, numeric } from './protobuf.ts';

/*
 * A verdict as Envoy is told it over gRPC: a `CheckResponse`. A refusal is one as well, never a
 * fault of gRPC: what that leads to Envoy lets its `failure_mode_allow` decide.
 */

/** Numbers of the fields that are written, by message. */
const RESPONSE = { status: 1, denied: 2, ok: 3 } as const;
const STATUS = { code: 1 } as const;
const OK = { headers: 2, headersToRemove: 5, responseHeadersToAdd: 6 } as const;
const DENIED = { status: 1, headers: 2, body: 3 } as const;
const OPTION = { header: 1, action: 3, keepEmpty: 4 } as const;
const HEADER = { key: 1, value: 2 } as const;
/** `OVERWRITE_IF_EXISTS_OR_ADD`. */
const OVERWRITE = 2;
const CODE_OK = 0;

/** What its service is told of the caller; the other fields of a permit are for the client. */
const FOR_SERVICE = /^x-(?:account-|request-id$)/i;
const FOR_CLIENT = /^ratelimit/i;
/** Envoy says them itself. */
const OF_ENVOY = /^(?:date|content-length)$/i;

/**
 * Fields that Envoy, or a proxy before it, says for the service, and those of one connection: they
 * are for Envoy to judge.
 */
const OF_THE_WAY =
  /^(?:x-forwarded-.*|x-envoy-.*|x-request-id|forwarded|traceparent|tracestate|host|expect|te|trailer|transfer-encoding|upgrade|connection|keep-alive|proxy-connection|content-length)$/;

/**
 * What Envoy takes off: the token, and each name of the client's own that the gate itself would not
 * let through, in which services are told of another caller, method or target.
 */
export function removedNames({ names }: RequestHead): readonly string[] {
  const theirs = names
    .map(({ lower }) => lower)
    .filter((name) => isRemoved(name) && !OF_THE_WAY.test(name));
  return [...new Set(['authorization', ...theirs])];
}

/** @param removed of a permit: names that the service must not get from the client */
export function checkResponse(own: OwnResponse, removed: readonly string[]): Buffer {
  const message = own.status === 200 ? permitted(own, removed) : denied(own);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function permitted({ fields }: OwnResponse, removed: readonly string[]): Buffer {
  const told = pairsOf(fields);
  const service = told.filter(([name]) => FOR_SERVICE.test(name));
  // Envoy takes them off once it has set the others: none of these may be one that is set.
  const set = new Set(service.map(([name]) => name.toLowerCase()));
  return Buffer.concat([
    delimited(RESPONSE.status, numeric(STATUS.code, CODE_OK)),
    delimited(
      RESPONSE.ok,
      ...service.map((pair) => option(OK.headers, pair)),
      ...removed
        .filter((name) => !set.has(name))
        .map((name) => delimited(OK.headersToRemove, name)),
      ...told
        .filter(([name]) => FOR_CLIENT.test(name))
        .map((pair) => option(OK.responseHeadersToAdd, pair)),
    ),
  ]);
}

function denied({ status, fields, body }: OwnResponse): Buffer {
  return Buffer.concat([
    delimited(RESPONSE.status, numeric(STATUS.code, grpcCode(status))),
    delimited(
      RESPONSE.denied,
      delimited(DENIED.status, numeric(STATUS.code, status)),
      ...pairsOf(fields)
        .filter(([name]) => !OF_ENVOY.test(name))
        .map((pair) => option(DENIED.headers, pair)),
      delimited(DENIED.body, body),
    ),
  ]);
}

function option(number: number, [name, value]: readonly [string, string]): Buffer {
  const header = [delimited(HEADER.key, name.toLowerCase()), delimited(HEADER.value, value)];
  return delimited(
    number,
    delimited(OPTION.header, ...header),
    numeric(OPTION.action, OVERWRITE),
    numeric(OPTION.keepEmpty, 1),
  );
}

function pairsOf({ list }: Fields): readonly (readonly [name: string, value: string])[] {
  const pairs: [string, string][] = [];
  for (let at = 0; at < list.length; at += 2) pairs.push([list[at]!, list[at + 1]!]);
  return pairs;
}

/** Of every response: what stands in it, the message says. */
export const CHECK_FIELDS = () => new Fields().add('Content-Type', 'application/grpc');
export const CHECK_TRAILERS = () => new Fields().add('Grpc-Status', '0');

export function checkHead(bytes: number): ResponseHead {
  return {
    status: 200,
    version: '1.1',
    reason: '',
    names: [],
    values: [],
    framing: { kind: 'length', bytes },
    nominated: [],
    keepAlive: true,
  };
}
