import type { Command } from 'commander';

type Add = (program: Command) => void;

interface Known {
  /** The line of the program's help, as the command itself would have it. */
  readonly term: string;
  readonly summary: string;
  readonly load: () => Promise<Add>;
}

const known = (term: string, summary: string, load: Known['load']): readonly [string, Known] => [
  term.split(' ', 1)[0]!,
  { term, summary, load },
];

/**
 * The commands by the word that a command line begins with, in the order in which help shows them.
 * What adds one is loaded when it is asked for: a gate that starts has no use for the
 * administration, and help none for either.
 */
const COMMANDS: ReadonlyMap<string, Known> = new Map([
  known(
    'dev [options]',
    'try it: a gate on this machine, with a sample service behind it and sample accounts',
    async () => (await import('./dev.ts')).addDevCommand,
  ),
  known(
    'serve [options]',
    'run the gate',
    async () => (await import('./serve.ts')).addServeCommand,
  ),
  known(
    'check [options]',
    'say everything that is wrong with a configuration file',
    async () => (await import('./check.ts')).addCheckCommand,
  ),
  known(
    'account',
    'service accounts: the machines that are let in',
    async () => (await import('./account.ts')).addAccountCommands,
  ),
  known(
    'role',
    'roles: named sets of permissions',
    async () => (await import('./role.ts')).addRoleCommands,
  ),
  known(
    'team',
    'teams: applications, and who has which role on them',
    async () => (await import('./team.ts')).addTeamCommands,
  ),
  known(
    'user',
    'users: people who administer; they are never let through the gate',
    async () => (await import('./user.ts')).addUserCommands,
  ),
  known(
    'approval',
    'changes to protected roles, which wait for a second administrator',
    async () => (await import('./approval.ts')).addApprovalCommands,
  ),
  known(
    'webhook',
    'webhooks: other systems that are told of events',
    async () => (await import('./webhook.ts')).addWebhookCommands,
  ),
  known(
    'token',
    'tokens: hand in one that was found, renew your own',
    async () => (await import('./token.ts')).addTokenCommands,
  ),
  known(
    'activity [options] [name]',
    'what an account did, and what was done to it',
    async () => (await import('./activity.ts')).addActivityCommands,
  ),
  known(
    'top [options] [of]',
    'who calls most: accounts, applications or routes, live',
    async () => (await import('./top.ts')).addTopCommand,
  ),
  known(
    'audit',
    'the record of all calls and changes',
    async () => (await import('./audit.ts')).addAuditCommands,
  ),
  known(
    'apply [options]',
    'make roles, teams and service accounts what a file declares',
    async () => (await import('./apply.ts')).addApplyCommand,
  ),
  known(
    'context',
    'contexts: places by name, and which of them is in use',
    async () => (await import('./context.ts')).addContextCommands,
  ),
  known(
    'registry',
    'the whole registry: begin one, move it to another store',
    async () => (await import('./registry.ts')).addRegistryCommands,
  ),
  known(
    'explain [options] <method> <path>',
    'would this call be let in, and by which rule?',
    async () => (await import('./explain.ts')).addExplainCommand,
  ),
  known(
    'who-can [options] [method] [path]',
    'which accounts would be let in with this call, or have a permission where?',
    async () => (await import('./who-can.ts')).addWhoCanCommand,
  ),
  known(
    'advise [options]',
    'what is granted and was not used, with changes to review',
    async () => (await import('./advise.ts')).addAdviseCommand,
  ),
  known(
    'instances [options]',
    'the running gates: their leases, and how far each has come',
    async () => (await import('./instances.ts')).addInstancesCommand,
  ),
  known(
    'sample [options]',
    'run the sample deployment service alone, without a gate (for trying things out)',
    async () => (await import('./sample.ts')).addSampleCommand,
  ),
  known(
    'healthcheck [options]',
    'ask a running gate on this machine whether it is ready (for HEALTHCHECK)',
    async () => (await import('./healthcheck.ts')).addHealthcheckCommand,
  ),
  known(
    'completion <shell>',
    'print a script that lets a shell complete commands, options and names',
    async () => (await import('./completion.ts')).addCompletionCommand,
  ),
]);

/** Asked by the scripts of `completion`, and in no help. */
const HIDDEN = '__complete';

/** Looks at all commands, and so needs them. */
const LOOKS_AT_ALL = 'completion';

/**
 * What a command line needs: the one command that it names; else the terms of all, for help and
 * for what is meant by a word that none has.
 *
 * @param words null: every command whole
 */
export function commandsFor(words: readonly string[] | null): Promise<readonly Add[]> {
  const [first, second] = (words ?? [LOOKS_AT_ALL]).filter((word) => !word.startsWith('-'));
  const name = (first === 'help' ? second : first) ?? '';
  if (first === HIDDEN)
    return Promise.all([import('./complete-names.ts').then((one) => one.addCompleteCommand)]);
  if (name === LOOKS_AT_ALL) return Promise.all([...COMMANDS.values()].map(({ load }) => load()));
  const named = COMMANDS.get(name);
  if (first !== 'help' && named !== undefined) return Promise.all([named.load()]);
  const each = [...COMMANDS].map(([word, { term, summary, load }]) =>
    word === name ? load() : (program: Command) => void program.command(term).summary(summary),
  );
  return Promise.all(each);
}
