import { readCredential } from '../../decision/credential.ts';
import type { Peer, RequestHead } from '../../http/request-head.ts';
import type { WireFault } from '../../http1/head-detail.ts';
import { brokenToken, foreignProtocol, type HeadDetail } from '../../http1/head-detail.ts';
import type { ConnectionHost } from '../connection.ts';

/*
 * What an operator is told of a head that goes no further.
 */

type Services = Pick<ConnectionHost['services'], 'log' | 'recordedAddress'>;

/** A token in the clear is noticed however it was presented. */
const EVERY_SCHEME = { acceptBareToken: true, acceptBasic: true } as const;

/**
 * Of a head that is no valid HTTP/1.1.
 *
 * @param begun bytes with which it began
 * @param isFirst no request came on its connection before
 * @returns what can be said of it
 */
export function noteHeadFault(
  { log, recordedAddress }: Services,
  { address }: Peer,
  fault: WireFault,
  detail: HeadDetail | null,
  begun: Buffer,
  isFirst: boolean,
): HeadDetail | null {
  const protocol = isFirst ? foreignProtocol(begun) : null;
  const said = protocol ?? (detail === null ? null : (brokenToken(begun, detail) ?? detail));
  const clientAddress = recordedAddress(address) ?? undefined;
  const fields = { reason: fault, detail: said, clientAddress };
  // Somebody has set up a client or a balancer in another way than this port.
  if (protocol === null) log.debug('the head of a request was refused', fields);
  else log.warn('a connection that begins with another protocol was refused', fields);
  return said;
}

/**
 * Of a request in the clear: a token that was sent so must be taken for stolen.
 *
 * @returns id of the account that the token claims to be; null: there was none
 */
export function noteExposedToken(
  { log, recordedAddress }: Services,
  { address }: Peer,
  { authorization }: Pick<RequestHead, 'authorization'>,
): string | null {
  const credential = readCredential(authorization, EVERY_SCHEME);
  if (credential.presented !== 'token') return null;
  const { accountId } = credential;
  const clientAddress = recordedAddress(address) ?? undefined;
  log.warn('a token was sent over plain HTTP: rotate it', { accountId, clientAddress });
  return accountId;
}
