import { responseFieldNames } from '../../http/field-names.ts';
import type { ResponseHead } from '../../http/response-head.ts';
import type { Upgrade } from '../../http/upgrade.ts';

const ACCEPT = 'sec-websocket-accept';
const ACCEPT_NAME = responseFieldNames.get('Sec-WebSocket-Accept')!;

/**
 * What stands for a 101: the response that agrees to extended CONNECT, with the proof of HTTP/1.1
 * that HTTP/2 has none of (RFC 8441 §5). The stream is the proof there: nobody else's response can
 * come on it.
 *
 * @param head a 2xx
 * @returns null: it says how long its content is, and a tunnel has no content
 */
export function switchedHead(head: ResponseHead, asked: Upgrade): ResponseHead | null {
  if (head.framing.kind === 'length') return null;
  const kept = head.names.flatMap(({ lower }, index) => (lower === ACCEPT ? [] : [index]));
  const names = kept.map((index) => head.names[index]!);
  const values = kept.map((index) => head.values[index]!);
  if (asked.accept !== null) {
    names.push(ACCEPT_NAME);
    values.push(asked.accept);
  }
  return { ...head, status: 101, reason: 'Switching Protocols', names, values };
}
