import type { Command } from 'commander';
import type { Neighbours, Story } from '../admin/story.ts';
import { readableEvent } from '../audit/event/read.ts';
import { requestWords } from '../audit/search/request-words.ts';
import { formatEvent } from './event-line.ts';
import { Refused, UsageError } from './exit.ts';
import { paged, withPager } from './looking.ts';
import { type CommonOptions, examples, given, leaf, moment } from './options.ts';
import { Progress } from './progress.ts';
import { withReach } from './reach.ts';
import { details, note, say, sayJson, styled } from './terminal.ts';

interface ShowOptions extends CommonOptions {
  readonly since?: string;
}

export function addShowCommand(audit: Command): void {
  const show = withPager(
    leaf(
      audit,
      'show <request-id>',
      'the story of one request: who asked, what was decided and by which rule, what came of it, how long it took, and what its caller did around it',
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

export async function showRequest(requestId: string, options: ShowOptions): Promise<void> {
  if (!/^[!-~]{1,128}$/.test(requestId))
    throw new UsageError(
      'a request id is what the header X-Request-Id of an answer says: 1 to 128 characters without spaces',
    );
  const { items, timing, neighbours } = await search(requestId, options);
  if (items.length === 0)
    throw new Refused(
      `nothing was recorded of a request ${requestId}${options.since === undefined ? '' : ` since ${options.since}`}`,
    );
  const events = items.toReversed();
  if (options.json === true)
    return sayJson({
      requestId,
      events: events.map(eventIn),
      timing,
      neighbours: neighbours && {
        ...neighbours,
        before: neighbours.before.toReversed().map(eventIn),
        after: neighbours.after.toReversed().map(eventIn),
      },
    });
  details(requestWords(events));
  say();
  for (const event of events) say(formatEvent(event));
  if (neighbours !== null) showNeighbours(neighbours);
}

function eventIn(line: string): unknown {
  return JSON.parse(readableEvent(line)) as unknown;
}

/** Oldest first, as everywhere in a terminal. */
function showNeighbours({ of, name, before, after, reached }: Neighbours): void {
  const whose = of === 'account' ? `of ${name}` : `from ${name}`;
  if (!reached) note(`what else came ${whose} is not shown: too much has been recorded since`);
  if (before.length + after.length === 0) return;
  say();
  say(styled('bold', `Before and after, ${whose}:`));
  for (const event of before.toReversed()) say(formatEvent(event));
  say(styled('dim', '   ... this request ...'));
  for (const event of after.toReversed()) say(formatEvent(event));
}

/** Pages may be empty: the request may lie far back. */
async function search(
  requestId: string,
  options: ShowOptions,
): Promise<Pick<Story, 'items' | 'timing' | 'neighbours'>> {
  const progress = new Progress('events');
  const items: string[] = [];
  let told: Pick<Story, 'timing' | 'neighbours'> = { timing: null, neighbours: null };
  await withReach(options, false, async ({ control, actor }) => {
    const query = { requestId, ...given('since', options.since) };
    for (let cursor: string | null = null, pages = 1; ; pages += 1) {
      const page: Story = await control.administration.showRequest(actor, { ...query, cursor });
      items.push(...page.items);
      told = {
        timing: told.timing ?? page.timing,
        neighbours: page.neighbours ?? told.neighbours,
      };
      if (page.next === null) break;
      cursor = page.next;
      progress.show(null, `searched ${pages * 200_000} events`);
    }
  }).finally(() => progress.end());
  return { items, ...told };
}
