import { FRAMING_FIELD, type FramingField } from './field-names.ts';

/** Fields that may stand only once in a request, as far as they were seen; null: not at all. */
export interface SingleFields {
  host: string | null;
  authorization: string | null;
  length: string | null;
  coding: string | null;
  expect: string | null;
}

/** What is said of a request with a second one. */
export const MORE_THAN_ONE = [
  'more than one Host',
  'more than one Authorization',
  'more than one Content-Length',
  'more than one Transfer-Encoding',
  'more than one Expect',
] as const;

export type MoreThanOne = (typeof MORE_THAN_ONE)[number];

/**
 * Notes a field, if it is one of them: a second one is refused, never joined, never ignored,
 * whichever protocol it came by.
 *
 * @returns what is wrong with it; null: nothing
 */
export function noteSingle(
  field: FramingField,
  value: string,
  seen: SingleFields,
): MoreThanOne | null {
  switch (field) {
    case FRAMING_FIELD.host:
      if (seen.host !== null) return 'more than one Host';
      seen.host = value;
      return null;
    case FRAMING_FIELD.authorization:
      if (seen.authorization !== null) return 'more than one Authorization';
      seen.authorization = value;
      return null;
    case FRAMING_FIELD.contentLength:
      if (seen.length !== null) return 'more than one Content-Length';
      seen.length = value;
      return null;
    case FRAMING_FIELD.transferEncoding:
      if (seen.coding !== null) return 'more than one Transfer-Encoding';
      seen.coding = value;
      return null;
    case FRAMING_FIELD.expect:
      if (seen.expect !== null) return 'more than one Expect';
      seen.expect = value;
      return null;
    default:
      return null;
  }
}
