import type { Command } from 'commander';
import type { AccountKind, TeamMembership } from '../account/model.ts';
import { OVERLAP_MOST_MS } from '../admin/limits.ts';
import { act, change, dangerous, lastOne, mustChange, taking, unapproved } from './account-act.ts';
import { addBind } from './account-bind.ts';
import { addBulk } from './account-bulk.ts';
import { addListAndShow } from './account-list.ts';
import {
  type CommonOptions,
  duration,
  examples,
  expiry,
  given,
  group,
  leaf,
  membership,
  networks,
} from './options.ts';
import { withReach } from './reach.ts';
import { withReplay } from './replay.ts';
import { askFirst, confirm, note } from './terminal.ts';
import { issueToken, type TokenOptions } from './token-output.ts';

interface CreateOptions extends CommonOptions, TokenOptions {
  readonly role: string;
  readonly description?: string;
  readonly expires?: string | null;
  readonly team?: readonly TeamMembership[];
  readonly allowedNetwork?: readonly string[];
  readonly honey?: boolean;
}

interface EditOptions extends CommonOptions {
  readonly description?: string;
  readonly role?: string;
  readonly expires?: string | null;
  readonly allowedNetwork?: readonly string[];
}

export function addAccountCommands(program: Command): void {
  const account = group(program, 'account', 'service accounts: the machines that are let in');
  addCreate(account);
  addRotate(account);
  addListAndShow(account, 'service');
  addStanding(account, 'service');
  addEdit(account, 'service');
  addTeams(account, 'service');
  addGrants(account);
  addBind(account);
  addBulk(account, 'service');
}

function addCreate(account: Command): void {
  const create = unapproved(
    leaf(account, 'create <name>', 'create a service account and show its token once'),
  )
    .requiredOption(
      '--role <role>',
      'default role; "none" for accounts that live by teams and grants',
    )
    .option('--description <text>', 'what it is for, at most 500 characters')
    .option('--team <team:role>', 'join a team in a role (may be repeated)', membership)
    .option('--expires <when>', 'when it stops working: 90d, 2030-01-31, never', expiry)
    .option(
      '--allowed-network <network>',
      'let it in from there alone: 10.0.0.0/8 (may be repeated)',
      networks,
    )
    .option('--honey', 'a bait: its token is let in nowhere, and using it raises an alarm')
    .option('--token-file <file>', 'write the token into a file (mode 0600) instead of showing it')
    .option('--yes', 'replace an existing token file without asking')
    .action(async (name: string, options: CreateOptions) => {
      await withReach(options, true, ({ control, actor }) =>
        issueToken(options, `Created the ${wordFor(options)} account ${name}.`, () =>
          control.administration.createServiceAccount(actor, {
            name,
            role: options.role,
            ...given('description', options.description),
            ...given('expiresAt', options.expires),
            ...given('teams', options.team),
            ...given('allowedNetworks', options.allowedNetwork),
            ...given('honey', options.honey),
          }),
        ),
      );
    });
  examples(
    create,
    'sallyport account create ci-pipeline --role deployer --description "Builds of the main branch"',
    'sallyport account create nightly --role none --team payments:deployer --expires 90d --token-file nightly.token',
    'sallyport account create old-backup --role none --honey',
  );
}

function wordFor({ honey }: CreateOptions): string {
  return honey === true ? 'honey' : 'service';
}

interface RotateOptions extends CommonOptions, TokenOptions {
  readonly overlap?: number;
  readonly close?: boolean;
}

function addRotate(account: Command): void {
  const rotate = dangerous(
    leaf(account, 'rotate <name>', 'issue a new token; the old one is refused from then on'),
  )
    .option(
      '--overlap <time>',
      'let the old token in for so long beside the new one: 10m, 12h',
      duration(OVERLAP_MOST_MS),
    )
    .option('--close', 'issue nothing: end the overlap of the last rotation now')
    .option('--token-file <file>', 'write the token into a file (mode 0600) instead of showing it')
    .action(async (name: string, options: RotateOptions, command: Command) => {
      const { overlap = 0, close = false } = options;
      if (close && overlap > 0)
        command.error('error: --close ends an overlap and --overlap begins one: say one of them');
      if (close) return closeOverlap(name, options);
      const fate =
        overlap > 0
          ? `works until the overlap of ${overlap / 1000} s is over`
          : 'stops working at once';
      askFirst(options, `Issue a new token for ${name}? The present one ${fate}.`);
      await withReach(options, true, ({ control, actor }) =>
        issueToken(options, `Rotated the token of ${name}.`, async () => {
          const input = {
            name,
            kind: 'service',
            overlapMs: overlap,
            ...given('waitMs', options.wait),
          } as const;
          const issued = await control.administration.rotateToken(actor, input);
          if (issued.account.honey) return issued;
          if (issued.account.status === 'inactive')
            note(`${name} is inactive: the token works once it is activated`);
          if (issued.account.expired)
            note(`${name} has expired: the token works once the expiry is moved`);
          return issued;
        }),
      );
    });
  examples(
    rotate,
    'sallyport account rotate ci-pipeline',
    'sallyport account rotate ci-pipeline --yes --token-file ci.token',
    'sallyport account rotate ci-pipeline --overlap 10m',
    'sallyport account rotate ci-pipeline --close',
  );
}

async function closeOverlap(name: string, options: RotateOptions): Promise<void> {
  await confirm(`End the overlap for ${name}? The old token stops working at once.`, options.yes);
  await act(options, `Only the new token of ${name} is let in.`, ({ control, actor }) =>
    control.administration.closeOverlap(actor, {
      name,
      kind: 'service',
      ...given('waitMs', options.wait),
    }),
  );
}

export function addStanding(parent: Command, kind: AccountKind): void {
  const example = (words: string) =>
    `sallyport ${parent.name()} ${words.replace('NAME', exampleName(kind))}`;
  const activate = unapproved(leaf(parent, 'activate <name>', 'let it in again')).action(
    async (name: string, options: CommonOptions) => {
      await act(options, `${name} is active.`, ({ control, actor }) =>
        control.administration.activateAccount(actor, { name, kind }),
      );
    },
  );
  examples(activate, example('activate NAME'));
  const deactivate = replayable(
    lastOne(
      dangerous(leaf(parent, 'deactivate <name>', 'refuse its calls until it is activated again')),
    ),
    kind,
  ).action(async (name: string, options: CommonOptions) => {
    askFirst(options, `Deactivate ${name}? Its calls are refused at once.`);
    await act(options, `${name} is inactive.`, ({ control, actor }) =>
      control.administration.deactivateAccount(actor, { name, kind, ...taking(options) }),
    );
  });
  examples(deactivate, example('deactivate NAME'), example('deactivate NAME --yes --wait 30s'));
  const remove = replayable(
    lastOne(dangerous(leaf(parent, 'delete <name>', 'delete it for good'))),
    kind,
  ).action(async (name: string, options: CommonOptions) => {
    askFirst(options, `Delete ${name}? This cannot be undone.`);
    await act(options, `Deleted ${name}.`, ({ control, actor }) =>
      control.administration.deleteAccount(actor, { name, kind, ...taking(options) }),
    );
  });
  examples(remove, example('delete NAME'));
}

/** People are refused by the proxied APIs: of them there is nothing to replay. */
function replayable(command: Command, kind: AccountKind): Command {
  return kind === 'service' ? withReplay(command) : command;
}

function exampleName(kind: AccountKind): string {
  return kind === 'service' ? 'ci-pipeline' : 'alice';
}

export function addEdit(parent: Command, kind: AccountKind): void {
  const edit = replayable(
    lastOne(dangerous(leaf(parent, 'edit <name>', 'change description, default role or expiry'))),
    kind,
  );
  if (kind === 'service')
    edit.option(
      '--allowed-network <network>',
      'let it in from there alone: 10.0.0.0/8 (may be repeated); "any": from anywhere',
      networks,
    );
  edit
    .option('--description <text>', 'what it is for, at most 500 characters')
    .option('--role <role>', 'default role')
    .option('--expires <when>', 'when it stops working: 90d, 2030-01-31, never', expiry)
    .action(async (name: string, options: EditOptions, command: Command) => {
      const edited = {
        ...given('description', options.description),
        ...given('role', options.role),
        ...given('expiresAt', options.expires),
        ...given('allowedNetworks', options.allowedNetwork),
      };
      const more = kind === 'service' ? ', --expires or --allowed-network' : ' or --expires';
      mustChange(edited, command, `--description, --role${more}`);
      await change(options, `Changed ${name}.`, ({ control, actor }) =>
        control.administration.editAccount(actor, { name, kind, ...edited, ...taking(options) }),
      );
    });
  examples(
    edit,
    `sallyport ${parent.name()} edit ${exampleName(kind)} --role viewer --expires 90d`,
  );
}

export function addTeams(parent: Command, kind: AccountKind): void {
  const example = `${exampleName(kind)} --team payments`;
  const join = replayable(
    dangerous(leaf(parent, 'join <name>', 'put it into a team, or change its role there')),
    kind,
  )
    .requiredOption('--team <team>', 'the team')
    .requiredOption('--role <role>', 'its role on the applications of the team')
    .action(async (name: string, options: CommonOptions & { team: string; role: string }) => {
      const { team, role, wait } = options;
      await act(options, `${name} is in ${team} as ${role}.`, ({ control, actor }) =>
        control.administration.joinTeam(actor, {
          name,
          kind,
          team,
          role,
          ...given('waitMs', wait),
        }),
      );
    });
  examples(join, `sallyport ${parent.name()} join ${example} --role deployer`);
  const leave = replayable(dangerous(leaf(parent, 'leave <name>', 'take it out of a team')), kind)
    .requiredOption('--team <team>', 'the team')
    .action(async (name: string, options: CommonOptions & { team: string }) => {
      const { team, wait } = options;
      await act(options, `${name} has left ${team}.`, ({ control, actor }) =>
        control.administration.leaveTeam(actor, { name, kind, team, ...given('waitMs', wait) }),
      );
    });
  examples(leave, `sallyport ${parent.name()} leave ${example}`);
}

function addGrants(account: Command): void {
  const kind = 'service';
  const grant = withReplay(
    dangerous(
      leaf(
        account,
        'grant <name>',
        'give it a role of its own on one application, in place of all others',
      ),
    ),
  )
    .requiredOption('--application <application>', 'the application')
    .requiredOption('--role <role>', 'its role there; it may allow less than the other roles')
    .action(
      async (name: string, options: CommonOptions & { application: string; role: string }) => {
        const { application, role, wait } = options;
        await act(options, `${name} is ${role} on ${application}.`, ({ control, actor }) =>
          control.administration.grantRole(actor, {
            name,
            kind,
            application,
            role,
            ...given('waitMs', wait),
          }),
        );
      },
    );
  examples(
    grant,
    'sallyport account grant ci-pipeline --application Billing --role viewer',
    'sallyport account grant ci-pipeline --application Billing --role viewer --replay 30d',
  );
  const revoke = withReplay(dangerous(leaf(account, 'revoke <name>', 'take a grant back')))
    .requiredOption('--application <application>', 'the application')
    .action(async (name: string, options: CommonOptions & { application: string }) => {
      const { application, wait } = options;
      await act(
        options,
        `${name} has no role of its own on ${application} any more.`,
        ({ control, actor }) =>
          control.administration.revokeGrant(actor, {
            name,
            kind,
            application,
            ...given('waitMs', wait),
          }),
      );
    });
  examples(revoke, 'sallyport account revoke ci-pipeline --application Billing');
}
