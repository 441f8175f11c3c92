import type { IssuedToken } from '../admin/service-accounts.ts';
import { noteReceipt } from './receipt.ts';
import { SecretFile } from './secret-file.ts';
import { note, say, sayJson } from './terminal.ts';

export interface TokenOptions {
  readonly tokenFile?: string;
  readonly json?: boolean;
  readonly yes?: boolean;
}

/**
 * Issues a token and hands it over: to stdout, or into a file of mode 0600. There is no second
 * chance to see it, so the file is made ready first, and if writing fails after all the token is
 * shown rather than lost.
 */
export async function issueToken(
  options: TokenOptions,
  done: string,
  issue: () => Promise<IssuedToken>,
): Promise<void> {
  if (options.tokenFile === undefined) {
    showToken(await issue(), done, options.json === true);
    return;
  }
  const file = await SecretFile.prepare(options.tokenFile, options.yes);
  try {
    const issued = await issue();
    try {
      file.write(issued.token);
    } catch (error) {
      note(
        `the token could not be written to ${file.path} (${(error as Error).message}); here it is instead`,
      );
      showToken(issued, done, options.json === true);
      return;
    }
    if (options.json === true)
      sayJson({ account: issued.account, tokenFile: file.path, ...receiptOf(issued) });
    else say(`${done} Its token is in ${file.path}.`);
    noteReceipt(issued.revocation);
  } finally {
    file.close();
  }
}

function showToken(issued: IssuedToken, done: string, json: boolean): void {
  const { account, token, revocation } = issued;
  note(`${done} Its token is shown once, and cannot be read again:`);
  if (json) sayJson({ account, token, ...receiptOf(issued) });
  else say(token);
  noteReceipt(revocation);
}

function receiptOf({ revocation }: IssuedToken): Pick<IssuedToken, 'revocation'> {
  return revocation === undefined ? {} : { revocation };
}
