import { createHash, randomBytes } from 'node:crypto';
import type { Fields } from './fields.ts';
import type { RequestHead } from './request-head.ts';
import type { ResponseHead } from './response-head.ts';

/**
 * Another protocol on the same connection (RFC 9110 §7.8): what a request may ask for, and what of
 * a 101 proves that the upstream agrees. WebSocket is looked at by its own rules (RFC 6455 §4).
 */

/** What a request to an upstream asks for. */
export interface Upgrade {
  /** A token in lower case. */
  readonly protocol: string;
  /** The `Sec-WebSocket-Accept` that responds to this request and no other; null: no WebSocket. */
  readonly accept: string | null;
}

/** Why an upgrade that a route takes is refused: one fixed phrase. */
export interface UpgradeFault {
  readonly detail: string;
}

/** RFC 6455 §1.3. */
const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** 16 bytes in base64; the last character holds two bits. */
const WEBSOCKET_KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;
const WEBSOCKET_VERSION = '13';

/**
 * What becomes of the upgrade that a request asks for, if it does.
 *
 * In HTTP/1.1 a protocol that the route does not take is passed over, as RFC 9110 lets servers do:
 * the request is served as if it had not been asked for. In HTTP/2 the method says it (RFC 8441),
 * and there is nothing else that the request could mean.
 *
 * @param taken protocols that the route takes, in lower case
 * @returns the protocol; null = none; or why not
 */
export function readUpgrade(
  head: RequestHead,
  taken: readonly string[],
): string | UpgradeFault | null {
  // RFC 9110 §7.8: passed over in HTTP/1.0.
  if (head.upgrade === null || head.version === '1.0') return null;
  const asked = elementsOf(head.upgrade);
  const protocol = asked.find((one) => taken.includes(one));
  if (protocol === undefined)
    return head.version === '2' ? fault('the route takes no such upgrade') : null;
  if (asked.length > 1) return fault('more than one protocol in Upgrade');
  if (head.method !== 'GET') return fault('an upgrade is asked for with GET');
  if (head.framing.kind !== 'none') return fault('an upgrade has no body');
  if (head.version === '1.1' && !head.nominated.includes('upgrade'))
    return fault('Connection does not name Upgrade');
  return protocol === 'websocket' ? (websocketFault(head) ?? protocol) : protocol;
}

function fault(detail: string): UpgradeFault {
  return { detail };
}

function elementsOf(list: string): string[] {
  return list
    .toLowerCase()
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '');
}

/** RFC 6455 §4.2.1; RFC 8441 §5 has no key. */
function websocketFault(head: RequestHead): UpgradeFault | null {
  if (head.nominated.some((name) => name.startsWith('sec-websocket-')))
    return fault('Connection names a field of the handshake');
  const keys = valuesOf(head, 'sec-websocket-key');
  const isKeyed =
    head.version === '2' ? keys.length === 0 : keys.length === 1 && WEBSOCKET_KEY.test(keys[0]!);
  if (!isKeyed) return fault('Sec-WebSocket-Key is not one key of 16 bytes');
  const versions = valuesOf(head, 'sec-websocket-version');
  return versions.length === 1 && versions[0] === WEBSOCKET_VERSION
    ? null
    : fault('Sec-WebSocket-Version is not 13');
}

function valuesOf({ names, values }: Pick<RequestHead, 'names' | 'values'>, lower: string) {
  return values.filter((_, index) => names[index]!.lower === lower);
}

/**
 * What a valid request asks the upstream for. A key that did not come along, because HTTP/2 has
 * none, is added.
 *
 * @param fields of the request to the upstream
 */
export function upgradeFor(head: RequestHead, protocol: string, fields: Fields): Upgrade {
  if (protocol !== 'websocket') return { protocol, accept: null };
  const [sent] = valuesOf(head, 'sec-websocket-key');
  const key = sent ?? randomBytes(16).toString('base64');
  if (sent === undefined) fields.add('Sec-WebSocket-Key', key);
  return {
    protocol,
    accept: createHash('sha1')
      .update(key + WEBSOCKET_GUID)
      .digest('base64'),
  };
}

/**
 * RFC 9110 §7.8, RFC 6455 §4.1: whether a 101 agrees to this and nothing else.
 *
 * @returns null = it does; a fixed phrase: why not
 */
export function switchFault(asked: Upgrade | null, head: ResponseHead): string | null {
  if (asked === null) return 'unexpected interim response';
  const agreed = valuesOf(head, 'upgrade');
  if (agreed.length !== 1 || agreed[0]!.toLowerCase() !== asked.protocol)
    return '101 for another protocol';
  if (!head.nominated.includes('upgrade')) return '101 without Connection: upgrade';
  if (asked.accept === null) return null;
  const accepts = valuesOf(head, 'sec-websocket-accept');
  return accepts.length === 1 && accepts[0] === asked.accept
    ? null
    : '101 without the right Sec-WebSocket-Accept';
}
