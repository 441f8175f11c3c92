import { readFollowed } from '../activity.ts';
import { type ActivityFilter, readFilter } from '../activity-filter.ts';
import { PAGE } from '../schemas/inputs.ts';
import { queryOf } from '../schemas/parameters.ts';
import { ACTIVITY, FILTER } from '../schemas/questions.ts';
import { eventPage } from '../schemas/record-answers.ts';
import { name } from '../schemas/words.ts';
import { readQuery } from './input.ts';
import { defined, type Operation } from './operation.ts';
import { refusedBy } from './problem.ts';
import type { ApiContext, ApiParts, Requests } from './requests.ts';
import { eventStream, type OpenStream } from './streams.ts';

/**
 * The row of a route whose response is a stream: it is documented like the others, and has a way
 * of its own below.
 */
export const STREAM: Operation = {
  id: 'followActivity',
  method: 'get',
  path: '/activity/stream',
  tag: 'Activity',
  summary: 'Calls and changes as they come',
  description:
    'Server-sent events: `activity` with a record as data, `skipped` when more happened than can be shown, `interrupted` when the log cannot be read. `Last-Event-ID` goes on after an event; around a break one may come twice.',
  needs: 'sallyport:activity:read',
  params: null,
  query: queryOf({
    account: name.optional(),
    limit: PAGE.limit.describe(
      'So many of the newest events first, where nothing is gone on after (1 to 500, default 50).',
    ),
    after: ACTIVITY.after.describe('In place of Last-Event-ID.'),
    ...FILTER,
  }),
  body: null,
  answers: { 200: { description: 'A stream (text/event-stream).', schema: eventPage } },
  handle: () => Promise.reject(new Error('streams are answered by followRoute')),
};

interface StreamQuery extends ActivityFilter {
  readonly limit?: number;
  readonly account?: string;
  readonly after?: string;
}

/**
 * Opens a stream of events. It ends when the client leaves, the token no longer counts, or the gate
 * drains.
 */
export async function followRoute(
  c: ApiContext,
  parts: ApiParts,
  requests: Requests,
): Promise<Response> {
  const record = requests.begin(c);
  const admission = await requests.admit(c, record, STREAM.needs);
  if (!admission.admitted)
    return requests.deny(c, record, admission.reason, admission.known, admission);
  if (!(await record.decided('permitted', admission.known, null)))
    return requests.refused(c, record, { reason: 'audit-unavailable' });
  const ended = (response: Response) => {
    record.ended(response.status, 'permitted');
    return response;
  };
  const query = readQuery(STREAM, c.req.url);
  if (!query.ok) return ended(requests.refused(c, record, query.refused));
  const { account, after, limit, ...filter } = query.value as StreamQuery;
  const stop = new AbortController();
  const { caller } = admission;
  const stream: OpenStream = {
    accountId: caller.principal.account.id,
    stands: () => parts.guard.stands(caller, 'sallyport:activity:read'),
    end: () => stop.abort(),
  };
  try {
    const matches = readFilter(filter);
    const from = after ?? c.req.header('last-event-id');
    const input = {
      account: account === undefined ? null : { name: account },
      ...defined({ limit, after: from === '' ? undefined : from }),
    };
    // As a response of its own, not in the stream: an account that there is not, a log that cannot
    // be read.
    readFollowed(input);
    const { administration } = parts.control;
    await administration.activityPage(caller.actor, { account: input.account, limit: 1 });
    const source = parts.control.follow(caller.actor, input, stop.signal);
    if (c.req.method === 'HEAD') return ended(sse(record.id, null));
    if (!parts.streams.add(stream))
      return ended(
        requests.refused(c, record, { reason: 'overloaded', detail: 'too many streams are open' }),
      );
    record.streams = true;
    stop.signal.addEventListener('abort', () => {
      parts.streams.remove(stream);
      record.ended(200, 'permitted');
    });
    const onFault = (fault: unknown) => parts.log.error('a stream of events failed', { fault });
    return sse(record.id, eventStream(source, matches, stop, onFault));
  } catch (error) {
    const refused = refusedBy(error);
    if (refused === null) throw error;
    return ended(requests.refused(c, record, refused));
  }
}

function sse(requestId: string, body: ReadableStream<Uint8Array> | null): Response {
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream',
      'x-request-id': requestId,
      'x-accel-buffering': 'no',
    },
  });
}
