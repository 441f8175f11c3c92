import type { RequestHead } from '../../src/http/request-head.ts';
import { parseRequestHead } from '../../src/http1/request-parser.ts';
import { mixedRequests } from '../bench/mixed.ts';

const CALLER = { id: 'a1B2c3D4e5F6', name: 'billing', token: 'token' };

/** Heads as many different clients send them (test/bench/mixed.ts), the same in every run. */
export function variedHeads(): readonly RequestHead[] {
  return mixedRequests([CALLER], ({ token }) => `Bearer ${token}`, '127.0.0.1').map(headIn);
}

function headIn(request: string): RequestHead {
  const head = parseRequestHead(request.slice(0, request.indexOf('\r\n\r\n') + 2), 8192);
  if ('fault' in head) throw new Error(`not a request: ${head.detail}`);
  return head;
}
