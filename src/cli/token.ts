import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { RECEIPT_WAIT } from '../admin/context.ts';
import type { TokenReport } from '../admin/found-token.ts';
import { OVERLAP_MOST_MS } from '../admin/limits.ts';
import { UsageError } from './exit.ts';
import { type CommonOptions, duration, examples, given, group, leaf } from './options.ts';
import { withReach } from './reach.ts';
import { noteReceipt } from './receipt.ts';
import { confirm, say, sayJson } from './terminal.ts';
import { issueToken, type TokenOptions } from './token-output.ts';

interface FoundOptions extends CommonOptions {
  readonly tokenFile?: string;
}

interface RenewOptions extends CommonOptions, TokenOptions {
  readonly overlap?: number;
}

export function addTokenCommands(program: Command): void {
  const token = group(program, 'token', 'tokens: hand in one that was found, renew your own');
  addFound(token);
  addRenew(token);
}

function addFound(token: Command): void {
  const found = leaf(
    token,
    'found',
    'take a token out of use that was found where it should not be',
  )
    .option('--token-file <file>', 'read the token from a file (default: from standard input)')
    .option(
      '--wait <time>',
      'how long to wait until every running gate has applied it (default 5s)',
      duration(RECEIPT_WAIT.mostMs),
    )
    .action(async (options: FoundOptions) => {
      const text = tokenFrom(options.tokenFile);
      await withReach(options, false, async ({ control, actor }) => {
        const report = await control.administration.reportToken(actor, {
          token: text,
          ...given('waitMs', options.wait),
        });
        if (options.json === true) sayJson(report);
        else say(reportLine(report));
        noteReceipt(report.revocation);
      });
    });
  examples(
    found,
    'sallyport token found < leaked.txt',
    'sallyport token found --token-file leaked.txt --config sallyport.yaml',
  );
}

function reportLine({ revoked, account }: TokenReport): string {
  if (revoked === null) return 'Reported. If the token was valid, it is refused from now on.';
  if (account === null) return 'No account has this token; nothing was changed.';
  if (!revoked) return `It is a former token of ${account.name}, and was refused already.`;
  return `It was a token of ${account.name}, and is refused from now on. Issue another with: sallyport account rotate ${account.name}`;
}

/** Never a word of the command line: those are seen by every user of the machine. */
function tokenFrom(file: string | undefined): string {
  if (file === undefined && process.stdin.isTTY === true)
    throw new UsageError('no token was given: pipe it in, or name its file with --token-file');
  try {
    return readFileSync(file ?? 0, 'utf8')
      .trim()
      .slice(0, 256);
  } catch (error) {
    throw new UsageError(
      `${file ?? 'standard input'} cannot be read (${(error as NodeJS.ErrnoException).code})`,
    );
  }
}

function addRenew(token: Command): void {
  const renew = leaf(token, 'renew', 'exchange the token in SALLYPORT_TOKEN for a new one')
    .option(
      '--overlap <time>',
      'let the old token in for so long beside the new one: 2m, 12h',
      duration(OVERLAP_MOST_MS),
    )
    .option(
      '--wait <time>',
      'how long to wait until every running gate has applied it (default 5s)',
      duration(RECEIPT_WAIT.mostMs),
    )
    .option('--token-file <file>', 'write the token into a file (mode 0600) instead of showing it')
    .option('--yes', 'do not ask')
    .action(async (options: RenewOptions) => {
      const { overlap = 0 } = options;
      await confirm(
        `Renew the token? The present one ${overlap > 0 ? 'works for the overlap' : 'stops working at once'}.`,
        options.yes,
      );
      await withReach(options, false, ({ control, actor, token }) =>
        issueToken(options, 'Renewed the token.', () =>
          control.administration.renewToken(actor, {
            token: token ?? process.env.SALLYPORT_TOKEN?.trim() ?? '',
            overlapMs: overlap,
            ...given('waitMs', options.wait),
          }),
        ),
      );
    });
  examples(
    renew,
    'sallyport token renew --server https://gate:9443 --overlap 2m --yes --token-file ci.token',
  );
}
