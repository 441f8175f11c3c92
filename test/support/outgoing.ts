import { Fields } from '../../src/http/fields.ts';
import type { OutgoingRequest } from '../../src/http/outgoing.ts';
import { fieldLines } from '../../src/http1/head-writer.ts';

/** A request without a body, as it goes to an upstream. */
export function outgoing(method = 'GET'): OutgoingRequest {
  return {
    method,
    target: '/',
    host: 'a',
    fields: new Fields(),
    framing: { kind: 'none', declared: false },
    upgrade: null,
    isLast: false,
    takesTrailers: false,
  };
}

/** Each field as one line, without its end. */
export function linesOf(fields: Fields): string[] {
  return fieldLines(fields).split('\r\n').slice(0, -1);
}
