import type { IncomingMessage } from 'node:http';
import type { RefusalReason } from '../../refusal.ts';

/** Requests whose body did not come whole. */

const BROKEN = new WeakMap<IncomingMessage, RefusalReason>();

/**
 * Ends the body of a request with a fault: whoever reads it, now or later, learns of it. The
 * connection stays, so that the request is answered like any other, and once.
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

/** Nobody is there any more to be answered; who closes the sending side is taken to have gone. */
export function hasLeft(request: IncomingMessage | undefined): boolean {
  return request?.socket.writable === false;
}
