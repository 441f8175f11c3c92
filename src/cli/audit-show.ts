import type { Command } from 'commander';
import { readableEvent } from '../audit/event/read.ts';
import { requestWords } from '../audit/search/request-words.ts';
import { formatEvent } from './event-line.ts';
import { Refused, UsageError } from './exit.ts';
import { paged, withPager } from './looking.ts';
import { type CommonOptions, examples, given, leaf, moment } from './options.ts';
import { Progress } from './progress.ts';
import { withReach } from './reach.ts';
import { details, say, sayJson } from './terminal.ts';

interface ShowOptions extends CommonOptions {
  readonly since?: string;
}

export function addShowCommand(audit: Command): void {
  const show = withPager(
    leaf(
      audit,
      'show <request-id>',
      'what was decided about one request, what came of it, who asked, why, and by which rule',
    ),
  )
    .option(
      '--since <when>',
      'it is not older than that, so nothing older is searched: 15m, 24h …',
      moment,
    )
    .action(paged(showRequest));
  examples(
    show,
    'sallyport audit show k3x9q0a7bz1m-00000002f --config manage.yaml',
    'sallyport audit show k3x9q0a7bz1m-00000002f --since 24h --json',
  );
}

async function showRequest(requestId: string, options: ShowOptions): Promise<void> {
  if (!/^[!-~]{1,128}$/.test(requestId))
    throw new UsageError(
      'a request id is what the header X-Request-Id of an answer says: 1 to 128 characters without spaces',
    );
  const found = await search(requestId, options);
  if (found.length === 0)
    throw new Refused(
      `nothing was recorded of a request ${requestId}${options.since === undefined ? '' : ` since ${options.since}`}`,
    );
  const events = found.reverse();
  if (options.json === true)
    return sayJson({
      requestId,
      events: events.map((event) => JSON.parse(readableEvent(event)) as unknown),
    });
  details(requestWords(events));
  say();
  for (const event of events) say(formatEvent(event));
}

/** Newest first. Pages may be empty: the request may lie far back. */
async function search(requestId: string, options: ShowOptions): Promise<string[]> {
  const progress = new Progress('events');
  const events: string[] = [];
  await withReach(options, false, async ({ control, actor }) => {
    const query = { account: null, requestId, ...given('since', options.since), limit: 500 };
    for (let cursor: string | null = null, pages = 1; ; pages += 1) {
      const page: { readonly items: readonly string[]; readonly next: string | null } =
        await control.activityPage(actor, { ...query, cursor });
      events.push(...page.items);
      if (page.next === null) break;
      cursor = page.next;
      progress.show(null, `searched ${pages * 200_000} events`);
    }
  }).finally(() => progress.end());
  return events;
}
