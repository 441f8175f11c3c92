import type { RequestHead } from './request-head.ts';

/**
 * The nine methods (RFC 9110 §9.3, RFC 5789), compared as exact bytes: `get` is another, unknown,
 * method (RFC 9110 §9.1). CONNECT and TRACE are known and never let in: one would make the gate a
 * tunnel, the other echoes credentials.
 */
export const ROUTABLE = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
const NEVER: ReadonlySet<string> = new Set(['CONNECT', 'TRACE']);

/** The method as one bit, for sets of methods in one number; 0 for what no route can take. */
export function methodBit(method: string): number {
  // Seven short words are compared sooner than a fresh string is hashed.
  const index = (ROUTABLE as readonly string[]).indexOf(method);
  return index === -1 ? 0 : 1 << index;
}

export function methodBits(methods: readonly string[]): number {
  return methods.reduce((bits, method) => bits | methodBit(method), 0);
}

/** The methods of a set, in a fixed order (for `Allow`, RFC 9110 §10.2.1). */
export function methodsOf(bits: number): readonly string[] {
  return ROUTABLE.filter((method) => (bits & methodBit(method)) !== 0);
}

/**
 * A body with a method that usually has none: it "has no generally defined semantics" (RFC 9110
 * §9.3.1), and a server that does not look for one takes its bytes for the next request.
 */
export function hasUnusualBody({
  method,
  framing,
}: Pick<RequestHead, 'method' | 'framing'>): boolean {
  return framing.kind !== 'none' && method !== 'POST' && method !== 'PUT' && method !== 'PATCH';
}

/** Known, and refused on every path. */
export function isNeverAllowed(method: string): boolean {
  return NEVER.has(method);
}

/**
 * Whether a call may change something (RFC 9110 §9.2.1). Whatever is not known to be safe is
 * unsafe.
 */
export function isUnsafe(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS';
}

/** Whether sending it twice does what sending it once does (RFC 9110 §9.2.2). */
export function isIdempotent(method: string): boolean {
  return !isUnsafe(method) || method === 'PUT' || method === 'DELETE';
}
