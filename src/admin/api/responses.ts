import { withVisibleEscapes } from '../../audit/event/text.ts';
import { type Reason, refusalKind } from '../../refusal.ts';
import type { OperationResult } from './operation.ts';
import { isRefusal, type Problem, problemHeaders, problemOf, type Refused } from './problem.ts';

/** A refusal as a response (RFC 9457). */
export function problemResponse(refused: Refused, requestId: string, realm: string): Response {
  const problem: Problem = problemOf(refused, requestId);
  return new Response(`${withVisibleEscapes(JSON.stringify(problem))}\n`, {
    status: problem.status,
    headers: { 'x-request-id': requestId, ...problemHeaders(refused, realm) },
  });
}

export function responseOf(
  requestId: string,
  { status, body, version }: OperationResult,
): Response {
  return new Response(`${withVisibleEscapes(JSON.stringify(body))}\n`, {
    status,
    headers: {
      'content-type': 'application/json',
      'x-request-id': requestId,
      ...(version === undefined ? {} : { etag: `"${version}"` }),
    },
  });
}

/**
 * Of a request that was let in at first: not any more, or a fault on our side. What was wrong with
 * the request itself is told by the status.
 */
const OUTCOMES: readonly number[] = [401, 403, 429, 500, 503];

/** The outcome in the words that audit and metrics have. */
export function reasonOf({ reason }: Refused): Reason {
  if (reason === 'forbidden') return 'permission-denied';
  if (reason === 'unavailable') return 'registry-unavailable';
  return isRefusal(reason) && OUTCOMES.includes(refusalKind(reason).status) ? reason : 'permitted';
}
