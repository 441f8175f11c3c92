import type { RequestHead } from './request-head.ts';

interface MethodRow {
  /** RFC 9110 §9.2.1: it asks for no change. */
  readonly safe: boolean;
  /** RFC 9110 §9.2.2: sending it twice does what sending it once does. */
  readonly idempotent: boolean;
  /** A body is part of it; with the others one "has no generally defined semantics" (§9.3.1). */
  readonly hasBody: boolean;
  /**
   * Whether a route can take it. CONNECT would make the gate a tunnel, TRACE echoes credentials.
   */
  readonly routable: boolean;
}

const row = (marks: string): MethodRow => ({
  safe: marks.includes('s'),
  idempotent: marks.includes('i'),
  hasBody: marks.includes('b'),
  routable: marks.includes('r'),
});

/**
 * The nine methods (RFC 9110 §9.3, RFC 5789), compared as exact bytes: `get` is another, unknown,
 * method (RFC 9110 §9.1). Safe, idempotent, with a body, routable.
 */
const ROWS = {
  GET: row('si-r'),
  HEAD: row('si-r'),
  POST: row('--br'),
  PUT: row('-ibr'),
  PATCH: row('--br'),
  DELETE: row('-i-r'),
  OPTIONS: row('si-r'),
  CONNECT: row('----'),
  TRACE: row('si--'),
} as const satisfies Record<string, MethodRow>;

export type Method = keyof typeof ROWS;
export const METHODS = Object.keys(ROWS) as readonly Method[];
/** What a route may let through, in a fixed order (for `Allow`, RFC 9110 §10.2.1). */
export const ROUTABLE = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
/** Of these, the ones that usually have no body. */
export const WITHOUT_BODY = ['GET', 'HEAD', 'DELETE', 'OPTIONS'] as const;

const KNOWN: ReadonlyMap<string, MethodRow> = new Map(Object.entries(ROWS));
const BITS: ReadonlyMap<string, number> = new Map(
  ROUTABLE.map((method, index) => [method, 1 << index]),
);

/** The method as one bit, for sets of methods in one number; 0 for what no route can take. */
export function methodBit(method: string): number {
  return BITS.get(method) ?? 0;
}

export function methodBits(methods: readonly string[]): number {
  return methods.reduce((bits, method) => bits | methodBit(method), 0);
}

/** The methods of a set, in a fixed order. */
export function methodsOf(bits: number): readonly string[] {
  return ROUTABLE.filter((method) => (bits & methodBit(method)) !== 0);
}

/** A server that does not look for this body takes its bytes for the next request. */
export function hasUnusualBody({
  method,
  framing,
}: Pick<RequestHead, 'method' | 'framing'>): boolean {
  const isHere = framing.kind !== 'none' && framing.kind !== 'elsewhere';
  return isHere && KNOWN.get(method)?.hasBody !== true;
}

/** Known, and refused on every path. */
export function isNeverAllowed(method: string): boolean {
  return KNOWN.get(method)?.routable === false;
}

/** Whether a call may change something. Whatever is not known to be safe is unsafe. */
export function isUnsafe(method: string): boolean {
  return KNOWN.get(method)?.safe !== true;
}

/** What is not known may be anything. */
export function isIdempotent(method: string): boolean {
  return KNOWN.get(method)?.idempotent === true;
}
