import { spawnSync } from 'node:child_process';
import { parseToken } from '../../account/token.ts';
import { readBounded, whyUnreadable } from '../../config/bounded-file.ts';
import { UsageError } from '../exit.ts';
import { note } from '../terminal.ts';

/** Where the token for a server is read, at the moment at which it is needed. */
export interface TokenSource {
  /** For people. */
  readonly words: string;
  /** Somebody may be asked something, and it may take a while. */
  readonly mayAsk: boolean;
  /** Throws `UsageError` where what is there is no token. */
  read(): string;
}

export const TOKEN_ENV = 'SALLYPORT_TOKEN';
/** Of the program that tells a token: it may ask for a PIN, or a finger. */
const COMMAND_MS = 60_000;
const COMMAND_BYTES = 4_096;

interface Named {
  readonly tokenFile?: string | undefined;
  readonly tokenEnv?: string | undefined;
  readonly tokenCommand?: string | undefined;
}

/** The token comes by the environment, a file or a program: a command line is seen by everybody. */
export function tokenSourceOf(
  context: string,
  { tokenFile, tokenEnv, tokenCommand }: Named,
): TokenSource {
  if (tokenFile !== undefined) return fromFile(context, tokenFile);
  if (tokenCommand !== undefined) return fromCommand(context, tokenCommand);
  return tokenEnv === undefined ? fromEnvironment() : fromVariable(context, tokenEnv);
}

export function fromEnvironment(): TokenSource {
  return {
    words: TOKEN_ENV,
    mayAsk: false,
    read() {
      const token = process.env[TOKEN_ENV]?.trim() ?? '';
      if (parseToken(token) !== null) return token;
      throw new UsageError(
        `--server needs the token of a service account in ${TOKEN_ENV}${token === '' ? '' : '; what it holds is no token'}`,
      );
    },
  };
}

function fromVariable(context: string, name: string): TokenSource {
  const read = () => checked(process.env[name] ?? '', context, `the variable ${name}`);
  return { words: `variable ${name}`, mayAsk: false, read };
}

function fromFile(context: string, file: string): TokenSource {
  const read = () => {
    let found: ReturnType<typeof readBounded>;
    try {
      found = readBounded(file);
    } catch (error) {
      throw new UsageError(`the token of the context ${context}: ${file} ${whyUnreadable(error)}`);
    }
    if ((found.mode & 0o007) !== 0)
      note(`${file} holds a token and is open to every user: chmod o-rwx ${file}`);
    return checked(found.text, context, file);
  };
  return { words: `file ${file}`, mayAsk: false, read };
}

/** Run once by each process: it may have asked somebody. */
function fromCommand(context: string, command: string): TokenSource {
  let token: string | null = null;
  const read = () => {
    token ??= run();
    return token;
  };
  const run = () => {
    const { error, status, signal, stdout } = spawnSync('sh', ['-c', command], {
      stdio: ['inherit', 'pipe', 'inherit'],
      encoding: 'utf8',
      timeout: COMMAND_MS,
      maxBuffer: COMMAND_BYTES,
    });
    if (error === undefined && status === 0) return checked(stdout, context, 'its token command');
    const why = (error as NodeJS.ErrnoException | undefined)?.code ?? signal ?? `code ${status}`;
    throw new UsageError(`the token command of the context ${context} failed (${why})`);
  };
  return { words: 'a command', mayAsk: true, read };
}

function checked(text: string, context: string, where: string): string {
  const token = text.trim();
  if (parseToken(token) !== null) return token;
  throw new UsageError(
    `the context ${context} has no token: ${where} ${token === '' ? 'is empty' : 'holds something else'}`,
  );
}
