import { type Command, InvalidArgumentError } from 'commander';
import { EXIT } from './exit-code.ts';
import { withoutSecrets } from './place/without-secrets.ts';
import { pageBy } from './screen/out.ts';
import { pagerCommand } from './screen/pager.ts';
import { WATCH, watch } from './screen/watch.ts';

type Run<Words extends readonly unknown[]> = (...words: Words) => Promise<void>;

/** For commands that only look: what they print can be long. */
export function withPager(command: Command): Command {
  return command.option('--no-pager', 'print to the terminal, without a pager');
}

/** The action of such a command. */
export function paged<Words extends readonly unknown[]>(run: Run<Words>): Run<Words> {
  return async (...words) => {
    const command = words.at(-1) as Command;
    const { pager, follow } = command.opts<{
      readonly pager: boolean;
      readonly follow?: boolean;
    }>();
    const program = pager && follow !== true ? pagerCommand() : null;
    if (program !== null) pageBy(program, withoutSecrets(process.env));
    await run(...words);
  };
}

/** For commands that show how something is at the moment. */
export function withWatch(command: Command): Command {
  return withPager(command).option(
    '--watch [seconds]',
    `look again every so many seconds (default: ${WATCH.usual}) until Ctrl-C, exit code 0`,
    readSeconds,
  );
}

/** The action of such a command: once, or over and over. */
export function watched<Words extends readonly unknown[]>(run: Run<Words>): Run<Words> {
  const once = paged(run);
  return async (...words) => {
    const { watch: asked } = (words.at(-1) as Command).opts<{ readonly watch?: number | true }>();
    if (asked === undefined) return once(...words);
    const { failureOf } = await import('./failure.ts');
    const failed = (error: unknown) => {
      const { code, lines } = failureOf(error);
      return {
        lines: lines.map((line) => `sallyport: ${line}`),
        mayPass: code === EXIT.unreachable,
      };
    };
    await watch(() => run(...words), asked === true ? WATCH.usual : asked, failed);
  };
}

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (!/^\d{1,4}$/.test(text) || seconds < WATCH.least || seconds > WATCH.most)
    throw new InvalidArgumentError(`Say seconds from ${WATCH.least} to ${WATCH.most}.`);
  return seconds;
}
