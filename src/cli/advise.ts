import { type Command, Option } from 'commander';
import type { Advice } from '../admin/advice/advise.ts';
import type { Finding } from '../admin/advice/finding.ts';
import { adviceWords, evidenceWords, KIND_WORDS } from '../admin/advice/words.ts';
import { windowLimits } from '../admin/trail/words.ts';
import { type CommonOptions, count, examples, given, leaf } from './options.ts';
import { progressBar } from './progress.ts';
import { type Reached, withReach } from './reach.ts';
import { days, lookedBack } from './replay.ts';
import { note, say, sayJson, styled, visible } from './terminal.ts';

interface AdviseOptions extends CommonOptions {
  readonly days: number;
  readonly tokenOlderThan?: number;
  readonly expiringWithin?: number;
}

const DAYS_MAX = 3650;

export function addAdviseCommand(program: Command): void {
  const advise = leaf(program, 'advise', 'what is granted and was not used, with changes to review')
    .addOption(
      new Option('--days <days>', 'what was not used for so many days, at most 90d')
        .argParser(days)
        .default(30, '30d'),
    )
    .option(
      '--token-older-than <n>',
      'a token is old from so many days on (default 180)',
      count(1, DAYS_MAX),
    )
    .option(
      '--expiring-within <n>',
      'an expiry is near within so many days (default 30)',
      count(1, DAYS_MAX),
    )
    .option(
      '--routes <file>',
      'the gate’s configuration file: its routes, and the roles that people get at their sign-in',
    )
    .action(async (options: AdviseOptions) => {
      await withReach(options, false, async (reached) => {
        const advice = await asked(reached, options);
        if (options.json === true) sayJson(advice);
        else show(advice);
      });
    });
  advise.description(
    'what is granted and was not used, with changes to review.\nHolds roles, teams, grants and accounts against the recorded calls. Changes nothing: each finding has\nits evidence and a command; with --json also a declaration for `apply`.',
  );
  examples(
    advise,
    'sallyport advise --days 90d --config manage.yaml',
    'sallyport advise --json | jq -r ".items[].change.command // empty"',
  );
}

/** Asks until the record is read as far back as was asked. */
async function asked({ control, actor }: Reached, options: AdviseOptions): Promise<Advice> {
  const bar = progressBar('events');
  const ask = (cursor: string | null) =>
    control.administration.advise(actor, {
      ...{ days: options.days, cursor },
      ...given('tokenOlderThanDays', options.tokenOlderThan),
      ...given('expiringWithinDays', options.expiringWithin),
    });
  try {
    let advice = await ask(null);
    while (advice.next !== null) {
      bar.at(...lookedBack(advice.window));
      advice = await ask(advice.next);
    }
    return advice;
  } finally {
    bar.end();
  }
}

/** By kinds, as they come: each under a heading. */
function show(advice: Advice): void {
  let shown: Finding['kind'] | null = null;
  for (const finding of advice.items) {
    if (finding.kind !== shown) {
      if (shown !== null) say();
      say(styled('bold', KIND_WORDS[finding.kind]));
    }
    shown = finding.kind;
    showFinding(finding);
  }
  const { window } = advice;
  for (const line of [...adviceWords(advice), ...windowLimits(window)]) note(line);
}

function showFinding({ words, evidence, change }: Finding): void {
  say(`  ${visible(words)}`);
  for (const line of [evidenceWords(evidence), ...evidence.details])
    if (line !== '') say(`      ${visible(line)}`);
  if (change !== null) say(`      ${styled('dim', '$')} ${visible(change.command)}`);
}
