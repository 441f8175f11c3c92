import type { FieldName } from './field-names.ts';

/** One parsed and checked head of an upstream's response. */
export interface ResponseHead {
  readonly status: number;
  /** The protocol in which the upstream answered, for `Via`. */
  readonly version: '1.0' | '1.1' | '2';
  readonly reason: string;
  readonly names: readonly FieldName[];
  readonly values: readonly string[];
  readonly framing: ResponseFraming;
  /** Lower-cased names that `Connection` declares to be for this connection only. */
  readonly nominated: readonly string[];
  /**
   * The upstream allows another request on this connection, and nothing of this response can be
   * taken for the next one's. Of an interim response: it does not say that the connection ends.
   */
  readonly keepAlive: boolean;
}

export type ResponseFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'close' };

/**
 * The length that the upstream declared for a body that is not sent along (HEAD, 304); null when it
 * declared none.
 */
export function declaredLength(head: ResponseHead): string | null {
  for (let index = 0; index < head.names.length; index += 1) {
    if (head.names[index]!.lower === 'content-length') return head.values[index]!;
  }
  return null;
}
