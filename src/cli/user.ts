import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { randomCharacters } from '../account/alphabet.ts';
import { addEdit, addStanding, addTeams } from './account.ts';
import { unapproved, waiting } from './account-act.ts';
import { addBulk } from './account-bulk.ts';
import { addListAndShow } from './account-list.ts';
import { UsageError } from './exit.ts';
import { type CommonOptions, examples, expiry, given, group, leaf } from './options.ts';
import { withReach } from './reach.ts';
import { askSecret, note, say, sayJson } from './terminal.ts';

interface PasswordOptions extends CommonOptions {
  readonly passwordFile?: string;
  readonly generatePassword?: boolean;
}

interface CreateOptions extends PasswordOptions {
  readonly role: string;
  readonly description?: string;
  readonly expires?: string | null;
}

export function addUserCommands(program: Command): void {
  const user = group(
    program,
    'user',
    'users: people who administer; they are never let through the gate',
  );
  const create = unapproved(withPassword(leaf(user, 'create <name>', 'create a user')))
    .requiredOption('--role <role>', 'role, for example administrator')
    .option('--description <text>', 'who that is, at most 500 characters')
    .option('--expires <when>', 'when the user stops being let in: 90d, 2030-01-31, never', expiry)
    .action(async (name: string, options: CreateOptions) => {
      const password = await passwordFrom(options);
      await withReach(options, true, async ({ control, actor }) => {
        const answer = await control.administration.createUser(actor, {
          name,
          role: options.role,
          password: password.text,
          ...given('description', options.description),
          ...given('expiresAt', options.expires),
        });
        show(options, answer, password, `Created the user ${name}.`);
      });
    });
  examples(create, 'sallyport user create alice --role administrator --config sallyport.yaml');
  addPassword(user);
  addListAndShow(user, 'user');
  addStanding(user, 'user');
  addEdit(user, 'user');
  addTeams(user, 'user');
  addBulk(user, 'user');
}

function addPassword(user: Command): void {
  const set = waiting(withPassword(leaf(user, 'password <name>', 'set a new password')));
  set.action(async (name: string, options: PasswordOptions) => {
    const password = await passwordFrom(options);
    await withReach(options, true, async ({ control, actor }) => {
      const input = {
        name,
        kind: 'user',
        password: password.text,
        ...given('waitMs', options.wait),
      } as const;
      show(
        options,
        await control.administration.setPassword(actor, input),
        password,
        `Set a new password for ${name}.`,
      );
    });
  });
  examples(
    set,
    'sallyport user password alice',
    'sallyport user password alice --generate-password --config manage.yaml',
  );
}

function withPassword(command: Command): Command {
  return command
    .option(
      '--password-file <file>',
      'read the password from a file (its first line) instead of asking',
    )
    .option('--generate-password', 'make one up and show it once');
}

interface Password {
  readonly text: string;
  readonly generated: boolean;
}

async function passwordFrom(options: PasswordOptions): Promise<Password> {
  if (options.passwordFile !== undefined && options.generatePassword === true) {
    throw new UsageError('either --password-file or --generate-password, not both');
  }
  if (options.generatePassword === true) return { text: randomCharacters(24), generated: true };
  if (options.passwordFile !== undefined)
    return { text: firstLine(options.passwordFile), generated: false };
  const text = await askSecret('New password: ');
  if (text !== (await askSecret('Once more: ')))
    throw new UsageError('the two passwords differ: nothing was changed');
  return { text, generated: false };
}

const PASSWORD_FILE_BYTES = 4096;

function firstLine(path: string): string {
  try {
    const text = readFileSync(path, 'utf8');
    if (text.length > PASSWORD_FILE_BYTES)
      throw new UsageError(`${path} is too long for a password file`);
    return text.split(/\r?\n/, 1)[0] ?? '';
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function show(options: CommonOptions, answer: object, password: Password, done: string): void {
  if (password.generated) note(`${done} The password is shown once, and cannot be read again:`);
  if (options.json === true)
    sayJson(password.generated ? { ...answer, password: password.text } : answer);
  else say(password.generated ? password.text : done);
}
