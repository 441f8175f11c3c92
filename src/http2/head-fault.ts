import type { HeadDetail, WireFault } from '../http1/head-detail.ts';

/**
 * What is said of a request that was refused, beyond the reason, besides what HTTP/1.1 says of its
 * own: a closed list of fixed phrases, none of which holds a byte of the request.
 */
export const HTTP2_DETAILS = [
  'a pseudo-header field is unknown, repeated or out of place',
  'a pseudo-header field is missing',
  'a field name is not in lower case',
  'a field of an HTTP/1.1 connection in HTTP/2',
  'a field value begins or ends with white space',
  ':authority and Host differ',
  ':path is not in origin-form',
  'the content is longer or shorter than Content-Length says',
  'fields after the content are not valid',
] as const;

export type Http2Detail = HeadDetail | (typeof HTTP2_DETAILS)[number];

export interface Http2HeadFault {
  readonly fault: WireFault;
  readonly detail: Http2Detail;
  /**
   * RFC 9113 §8.1.1: it is no HTTP/2 at all, and a stream error; else it is refused as a request.
   */
  readonly malformed: boolean;
}

export const malformed = (
  detail: Http2Detail,
  fault: WireFault = 'request-malformed',
): Http2HeadFault => ({ fault, detail, malformed: true });

export const refused = (fault: WireFault, detail: Http2Detail): Http2HeadFault => ({
  fault,
  detail,
  malformed: false,
});
