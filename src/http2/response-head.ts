import { type FieldName, FRAMING_FIELD, responseFieldNames } from '../http/field-names.ts';
import type { ResponseFraming, ResponseHead } from '../http/response-head.ts';
import type { Trailers } from '../http/trailers.ts';
import type { FieldSection } from './hpack-decoder.ts';
import { fieldFault } from './request-head.ts';

/**
 * The head of a response in HTTP/2 (RFC 9113 §8.3.2), by the gates of HTTP/1.1: one with two
 * readings is a broken one.
 */

/** As of HTTP/1.1. */
export const MAX_RESPONSE_FIELDS = 500;
/** As of HTTP/1.1. */
const STATUS = /^[1-5][0-9]{2}$/;
const LENGTH_DIGITS = /^[0-9]{1,15}$/;
const NO_NAMES: readonly string[] = [];
const NO_BODY: ResponseFraming = { kind: 'none' };
/** Of a length that nobody told: the stream says where it ends. */
const UNKNOWN_LENGTH: ResponseFraming = { kind: 'chunked' };
const COLON = 58;

/**
 * @param endStream nothing follows
 * @param toHead the request was HEAD: there is no content, whatever the fields say
 * @returns the head, or a fixed phrase that says why it is broken
 */
export function readResponseHead(
  section: FieldSection,
  endStream: boolean,
  toHead: boolean,
): ResponseHead | string {
  if (section.tooLarge) return 'head too large';
  if (section.names[0] !== ':status') return 'no status';
  const text = section.values[0]!;
  if (!STATUS.test(text)) return 'no status';
  const status = Number(text);
  const names: FieldName[] = [];
  let length: string | null = null;
  for (let index = 1; index < section.names.length; index += 1) {
    const value = section.values[index]!;
    const name = nameOf(section.names[index]!, value);
    if (typeof name === 'string') return name;
    if (name.framing === FRAMING_FIELD.contentLength) {
      if (length !== null) return 'more than one Content-Length';
      length = value;
    }
    names.push(name);
  }
  const framing = framingOf(status, length, endStream, toHead);
  if (typeof framing === 'string') return framing;
  const values = section.values.slice(1);
  return {
    status,
    version: '2',
    reason: '',
    names,
    values,
    framing,
    nominated: NO_NAMES,
    keepAlive: true,
  };
}

/** Fields behind the content. @returns null when they are not valid */
export function readResponseTrailers({ names, values, tooLarge }: FieldSection): Trailers | null {
  if (tooLarge) return null;
  const known: FieldName[] = [];
  for (let index = 0; index < names.length; index += 1) {
    const name = nameOf(names[index]!, values[index]!);
    if (typeof name === 'string' || name.framing === FRAMING_FIELD.contentLength) return null;
    known.push(name);
  }
  return { names: known, values };
}

/** @returns a fixed phrase where it is none that may stand here */
function nameOf(text: string, value: string): FieldName | string {
  if (text.charCodeAt(0) === COLON) return 'a pseudo-header field out of place';
  const fault = fieldFault(text, value);
  if (fault !== null) return fault.detail;
  return responseFieldNames.get(text) ?? 'invalid field name';
}

function framingOf(
  status: number,
  length: string | null,
  endStream: boolean,
  toHead: boolean,
): ResponseFraming | string {
  if (length !== null && !LENGTH_DIGITS.test(length)) return 'Content-Length is not a number';
  if (status < 200) {
    // RFC 9113 §8.6: there is no 101 here.
    if (status === 101 || endStream) return 'unexpected interim response';
    return length !== null && Number(length) > 0 ? 'interim response with a body' : NO_BODY;
  }
  if (toHead || status === 204 || status === 304) return NO_BODY;
  const bytes = length === null ? null : Number(length);
  if (endStream)
    return bytes === null || bytes === 0 ? NO_BODY : 'content shorter than Content-Length says';
  if (bytes === null) return UNKNOWN_LENGTH;
  return bytes === 0 ? NO_BODY : { kind: 'length', bytes };
}
