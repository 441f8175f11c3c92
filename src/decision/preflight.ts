import { methodBit } from '../http/method.ts';
import type { RequestHead } from '../http/request-head.ts';

/** What a browser asks before it sends a call for a page of another origin. */
export interface Preflight {
  readonly origin: string;
  /** Of the call that would follow. */
  readonly method: string;
}

/**
 * The preflight that a request is (Fetch §3.2.2: OPTIONS with `Origin` and
 * `Access-Control-Request-Method`), or null. A field that stands twice makes it none.
 */
export function preflightOf(head: RequestHead): Preflight | null {
  if (head.method !== 'OPTIONS' || head.path === '*' || head.framing.kind !== 'none') return null;
  const method = onlyValue(head, 'access-control-request-method');
  const origin = onlyValue(head, 'origin');
  return method === null || origin === null || methodBit(method) === 0 ? null : { origin, method };
}

/** The value of a field that stands once; else null. `lower`: its name. */
export function onlyValue(head: RequestHead, lower: string): string | null {
  let found: string | null = null;
  for (let index = 0; index < head.names.length; index += 1) {
    if (head.names[index]!.lower !== lower) continue;
    if (found !== null) return null;
    found = head.values[index]!;
  }
  return found;
}
