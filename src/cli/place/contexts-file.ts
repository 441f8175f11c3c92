import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { parse, stringify } from 'yaml';
import * as z from 'zod';
import { readBounded, whyUnreadable } from '../../config/bounded-file.ts';
import { UsageError } from '../exit.ts';
import { wayTo } from './way-to-file.ts';

/**
 * Places by name. Where a token is to be read is in it, and never a token: it is a file that people
 * copy from one machine to another.
 */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Contexts in one file. */
const CONTEXTS_MOST = 1_000;

const text = z.string().min(1).max(4_096);
const path = text.refine(isAbsolute, 'must be an absolute path');

const SERVER = z
  .strictObject({
    server: text,
    caFile: path.optional(),
    tokenFile: path.optional(),
    tokenEnv: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be the name of an environment variable')
      .optional(),
    tokenCommand: text.optional(),
  })
  .refine(
    ({ tokenFile, tokenEnv, tokenCommand }) =>
      [tokenFile, tokenEnv, tokenCommand].filter((one) => one !== undefined).length <= 1,
    'must name one source of the token: tokenFile, tokenEnv or tokenCommand',
  );
const STORE = z.strictObject({ config: path });

const FILE = z.strictObject({
  current: z.string().nullable().default(null),
  contexts: z
    .record(z.string().regex(NAME, 'is no name of a context'), z.union([SERVER, STORE]))
    .refine((all) => Object.keys(all).length <= CONTEXTS_MOST, `are more than ${CONTEXTS_MOST}`)
    .default({}),
});

export type Context = z.output<typeof SERVER> | z.output<typeof STORE>;

export interface Contexts {
  readonly current: string | null;
  readonly contexts: Readonly<Record<string, Context>>;
}

export function isContextName(name: string): boolean {
  return NAME.test(name);
}

/**
 * `$XDG_CONFIG_HOME/sallyport/contexts.yaml`, in `~/.config` where that is not set; null: there is
 * no home. Never in the working folder: others may have written there where tokens go.
 */
export function contextsFile(env: NodeJS.ProcessEnv = process.env): string | null {
  const { XDG_CONFIG_HOME: set = '', HOME: home = '' } = env;
  if (isAbsolute(set)) return join(set, 'sallyport', 'contexts.yaml');
  const folder = [home, homeOfUser()].find(isAbsolute);
  return folder === undefined ? null : join(folder, '.config', 'sallyport', 'contexts.yaml');
}

/** As the system has it, whatever `HOME` says; a user without an entry there has none. */
function homeOfUser(): string {
  try {
    return userInfo().homedir;
  } catch {
    return '';
  }
}

/** None where there is no file. Throws `UsageError`. */
export function readContexts(file = contextsFile()): Contexts {
  const written = file === null ? null : reached(file, () => textOf(file));
  return file === null || written === null
    ? { current: null, contexts: {} }
    : contextsIn(written, file);
}

/** Null: there is no file. Throws `UsageError`, or the system's error. */
function textOf(file: string): string | null {
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return null;
  mustBeOurs(file);
  const { folders, links } = wayTo(file);
  for (const link of links) mustBelongToUs(link, lstatSync(link));
  for (const folder of folders) mustBeOurs(folder);
  return readBounded(file).text;
}

function reached<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`the contexts in ${file} cannot be reached: ${whyUnreadable(error)}`);
  }
}

const NEITHER =
  'must have server, with caFile and one of tokenFile, tokenEnv and tokenCommand, or config alone';

function contextsIn(written: string, file: string): Contexts {
  let value: unknown;
  try {
    value = parse(written) ?? {};
  } catch (error) {
    throw new UsageError(`${file} is no YAML: ${(error as Error).message.split('\n', 1)[0]}`);
  }
  const read = FILE.safeParse(value);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const where = issue?.path.join('.') ?? '';
  const what = issue?.code === 'invalid_union' ? NEITHER : issue?.message;
  throw new UsageError(
    `${file}: ${where === '' ? '' : `${where}: `}${what}: mend it, or make it anew with "sallyport context add"`,
  );
}

/** Also where only root could mend what is in the way. */
const ELSEWHERE = 'set XDG_CONFIG_HOME to a folder of yours';

/** Whoever can write to it says to whom the next command sends a token. */
function mustBeOurs(file: string): void {
  const stat = statSync(file);
  mustBelongToUs(file, stat);
  const { mode, uid } = stat;
  // In such a folder nobody replaces what is another's; of a file it says nothing.
  const isSticky = stat.isDirectory() && (mode & 0o1000) !== 0;
  if ((mode & 0o022) === 0 || isSticky) return;
  const user = process.getuid?.();
  const mend = user === undefined || user === 0 || uid === user ? `chmod go-w ${file}` : ELSEWHERE;
  throw new UsageError(
    `${file} can be written by other users, who could send your commands elsewhere: ${mend}`,
  );
}

/** Also a link: in a folder that is sticky, whoever it belongs to replaces it. */
function mustBelongToUs(file: string, stat: Stats): void {
  const user = process.getuid?.();
  if (user === undefined || stat.uid === user || stat.uid === 0) return;
  // What follows a link leaves the link as it is, as `chown` does.
  const mend = stat.isSymbolicLink() ? 'remove the link and make it anew' : 'have it given to you';
  throw new UsageError(
    `${file} belongs to another user, who would say where commands go: ${mend}, or ${ELSEWHERE}`,
  );
}

/**
 * Changes the file in one step, mode 0600. Two that change it at once: one of them is refused.
 * Throws `UsageError`.
 */
export function changeContexts(
  change: (contexts: Contexts) => Contexts,
  named = contextsFile(),
): void {
  if (named === null)
    throw new UsageError('there is no place for contexts: set HOME to an absolute path');
  const file = reached(named, () => {
    mkdirSync(dirname(named), { recursive: true, mode: 0o700 });
    const there = statSync(named, { throwIfNoEntry: false });
    // A link to where somebody keeps such files stays one; native: `..` in it is the system's.
    return there === undefined ? named : realpathSync.native(named);
  });
  const lock = `${file}.lock`;
  let descriptor: number;
  try {
    descriptor = openSync(lock, 'wx', 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(
      code === 'EEXIST'
        ? `the contexts are being changed by another command; if there is none, remove ${lock}`
        : `${lock} cannot be written (${code})`,
    );
  }
  try {
    writeSync(descriptor, stringify(change(readContexts(named)), { lineWidth: 0 }));
    fsyncSync(descriptor);
    renameSync(lock, file);
  } catch (error) {
    rmSync(lock, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
}
