import { type Command, InvalidArgumentError } from 'commander';
import { TRAIL_DAYS_MOST } from '../admin/limits.ts';
import type { Rehearsed } from '../admin/operations/rehearsed.ts';
import type { TrailWindow } from '../admin/trail/port.ts';
import type { ReplayItem, ReplayPart } from '../admin/trail/replay.ts';
import type { Replay } from '../admin/trail/replay-change.ts';
import { replayLimits, replayWords } from '../admin/trail/words.ts';
import { progressBar } from './progress.ts';
import type { Reached } from './reached.ts';
import { note, say, table } from './terminal.ts';

/** `7d`, or `7` */
export function days(value: string): number {
  const count = Number(/^(\d{1,2})d?$/.exec(value)?.[1] ?? 0);
  if (count < 1 || count > TRAIL_DAYS_MOST)
    throw new InvalidArgumentError(`Say days, such as 7d: 1d to ${TRAIL_DAYS_MOST}d.`);
  return count;
}

/** For commands whose change can be held against the record of calls first. */
export function withReplay(command: Command): Command {
  return command.option(
    '--replay <days>',
    'change nothing: say which calls of the last days it would have refused or let in (7d)',
    days,
  );
}

/** Asks until the record is read as far back as was asked. */
export async function replayed(
  { control, actor }: Pick<Reached, 'control' | 'actor'>,
  operation: Rehearsed,
  given: object,
  lookBack: number,
): Promise<Replay> {
  const bar = progressBar('events');
  const input = given as Readonly<Record<string, unknown>>;
  const ask = (cursor: string | null) =>
    control.administration.replayChange(actor, { operation, input, days: lookBack, cursor });
  try {
    let answer = await ask(null);
    while (answer.next !== null) {
      bar.at(...lookedBack(answer.window));
      answer = await ask(answer.next);
    }
    return answer;
  } finally {
    bar.end();
  }
}

/** Events that were looked at, and about how many there are. */
export function lookedBack({ since, from, until, examined }: TrailWindow): [number, number] {
  const [all, read] = [since, from].map((at) => Date.parse(until) - Date.parse(at)) as [
    number,
    number,
  ];
  return [examined, read <= 0 ? 0 : Math.round((examined * all) / read)];
}

export function showReplay(answer: Replay, lookBack: number): void {
  const { refuses, letsIn } = answer;
  const rows = [
    ...refuses.items.map((item) => rowOf('refused', item)),
    ...letsIn.items.map((item) => rowOf('let in', item)),
  ];
  if (rows.length > 0)
    table(
      ['WOULD BE', 'ACCOUNT', 'PERMISSION', 'APPLICATION', 'ROLE', 'CALLS', 'LAST', 'FOR EXAMPLE'],
      rows,
    );
  say(replayWords(answer, lookBack));
  const more = unnamed(refuses) + unnamed(letsIn);
  if (more > 0) note(`Those with the most calls are shown; ${more} more calls are not.`);
  for (const line of replayLimits(answer)) note(line);
}

function rowOf(what: string, item: ReplayItem): readonly string[] {
  const { account, permissions, applications, before, after, calls, last, samples } = item;
  const role =
    before.role === after.role
      ? (after.role ?? '-')
      : `${before.role ?? '-'} → ${after.role ?? '-'}`;
  return [
    what,
    account,
    permissions.join(' ') || '-',
    applications?.join(' ') ?? '-',
    role,
    String(calls),
    `${last.slice(0, 16)}Z`,
    samples[0] ?? '-',
  ];
}

function unnamed({ calls, items }: ReplayPart): number {
  return calls - items.reduce((sum, item) => sum + item.calls, 0);
}
