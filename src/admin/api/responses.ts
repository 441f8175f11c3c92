import { withVisibleEscapes } from '../../audit/event/text.ts';
import { type Reason, refusalKind } from '../../refusal.ts';
import { CSV_LISTS, type CsvListName, csvLines } from '../lists-csv.ts';
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

/** In what other forms a list is told than as JSON. */
export const LIST_FORMS = {
  csv: { type: 'text/csv', parameters: '; charset=utf-8; header=present' },
  ndjson: { type: 'application/x-ndjson', parameters: '; charset=utf-8' },
} as const;

export type ListForm = keyof typeof LIST_FORMS;

/** A list as a file; where the next page is, is said by a link (RFC 8288). */
export function listResponse(
  requestId: string,
  list: CsvListName,
  form: ListForm,
  { body }: OperationResult,
  url: string,
): Response {
  const { items, ...page } = body as ListPage;
  const follows = nextPage(url, page);
  const { type, parameters } = LIST_FORMS[form];
  const text =
    form === 'csv' ? CSV_LISTS[list].header + csvLines(list, items) : items.map(lineOf).join('');
  return new Response(text, {
    headers: {
      'content-type': type + parameters,
      'x-request-id': requestId,
      vary: 'accept',
      ...(follows === null ? {} : { link: `<${follows}>; rel="next"` }),
    },
  });
}

/** What is text already is a line of JSON, as the record has it. */
function lineOf(item: unknown): string {
  return `${typeof item === 'string' ? item : withVisibleEscapes(JSON.stringify(item))}\n`;
}

interface ListPage {
  readonly items: readonly unknown[];
  readonly next?: string | null;
  /** Of a list in two directions: more columns of the same rows. */
  readonly nextAfter?: string | null;
}

/** First all columns of the same rows, then other rows from the first column on. */
function nextPage(url: string, { next = null, nextAfter }: Omit<ListPage, 'items'>): string | null {
  const { pathname, searchParams } = new URL(url);
  if (nextAfter != null) searchParams.set('after', nextAfter);
  else if (next === null) return null;
  else {
    searchParams.set('cursor', next);
    if (nextAfter === null) searchParams.delete('after');
  }
  return `${pathname}?${searchParams.toString()}`;
}

/** What somebody asks for rather than for JSON: a browser that takes anything does not. */
export function wantedForm(accept: string | null): ListForm | null {
  const [first = ''] = (accept ?? '').split(/[;,]/, 1);
  const wanted = first.trim().toLowerCase();
  const forms = Object.keys(LIST_FORMS) as readonly ListForm[];
  return forms.find((form) => LIST_FORMS[form].type === wanted) ?? null;
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
