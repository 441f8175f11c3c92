import type { IncomingMessage } from 'node:http';
import type { RefusalReason } from '../../refusal.ts';

/** Requests whose body did not come whole. */

const BROKEN = new WeakMap<IncomingMessage, RefusalReason>();

/**
 * Ends the body of a request with a fault, which its reader gets, now or later. The connection
 * stays, so that the request gets one response, like any other.
 */
export function breakBody(request: IncomingMessage, reason: RefusalReason): void {
  BROKEN.set(request, reason);
  // Somebody may be reading, or not yet, or never.
  request.on('error', () => {});
  // Node's own would take the connection down with it.
  request._destroy = (fault, done) => done(fault);
  request.destroy(new Error(`the body of a request did not come whole: ${reason}`));
}

/**
 * Why a body that was read to its end, or could not be read, is not to be believed; null: it came
 * whole. What was read of it before may look like a body, an empty one too.
 */
export function bodyFaultOf(request: IncomingMessage | undefined): RefusalReason | null {
  if (request === undefined || request.complete) return null;
  return BROKEN.get(request) ?? 'request-malformed';
}

/** The caller has gone; one that closes its sending side is taken to have gone. */
export function hasLeft(request: IncomingMessage | undefined): boolean {
  return request?.socket.writable === false;
}
