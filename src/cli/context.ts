import { resolve } from 'node:path';
import type { Command } from 'commander';
import { listOf } from '../admin/csv-list.ts';
import { UsageError } from './exit.ts';
import { type List, sayList, withForms } from './lists.ts';
import { paged, withPager } from './looking.ts';
import {
  type CommonOptions,
  examples,
  group,
  type OutputOptions,
  withLimit,
  withNames,
} from './options.ts';
import { withOutput } from './output/format.ts';
import {
  type Context,
  type Contexts,
  changeContexts,
  contextsFile,
  isContextName,
  readContexts,
} from './place/contexts-file.ts';
import { serverUrl } from './place/server-url.ts';
import { tokenSourceOf } from './place/token-source.ts';
import { details, say, sayJson } from './terminal.ts';

interface AddOptions extends OutputOptions {
  readonly config?: string;
  readonly server?: string;
  readonly caFile?: string;
  readonly tokenFile?: string;
  readonly tokenEnv?: string;
  readonly tokenCommand?: string;
  readonly use?: boolean;
  readonly replace?: boolean;
}

/** What is told of one, in every form. */
interface Shown {
  readonly name: string;
  readonly inUse: boolean;
  readonly place: string;
  /** Where its token is read; null where none is needed. */
  readonly token: string | null;
  readonly caFile: string | null;
}

const CONTEXTS: List<'contexts', Shown> = {
  key: 'contexts',
  columns: listOf([
    ['name', ({ name }) => name],
    ['inUse', ({ inUse }) => String(inUse)],
    ['place', ({ place }) => place],
    ['token', ({ token }) => token],
    ['caFile', ({ caFile }) => caFile],
  ]),
  name: ({ name }) => name,
  headings: ['IN USE', 'NAME', 'PLACE', 'TOKEN'],
  row: ({ inUse, name, place, token }) => [inUse ? '*' : '', name, place, token ?? '-'],
  none: 'there are no contexts yet: "sallyport context add" makes one',
};

export function addContextCommands(program: Command): void {
  const context = group(
    program,
    'context',
    'contexts: places by name, and which of them is in use',
  );
  addList(context);
  addShow(context);
  addUse(context);
  addAdd(context);
  addRemove(context);
}

function own(parent: Command, usage: string, summary: string): Command {
  return withOutput(parent.command(usage).summary(summary).description(summary));
}

function addList(context: Command): void {
  const list = withPager(withLimit(withForms(own(context, 'list', 'list the contexts'), CONTEXTS)));
  list.action(
    paged(async (options: CommonOptions) => {
      const known = readContexts();
      const contexts = Object.keys(known.contexts).map((name) => shown(known, name));
      sayList(options, CONTEXTS, { contexts });
    }),
  );
  examples(list, 'sallyport context list');
}

function addShow(context: Command): void {
  const show = withPager(own(context, 'show [context]', 'show a context; default: the one in use'));
  withNames(show, (told: { readonly context: Shown }) => [told.context.name]);
  show.action(
    paged(async (name: string | undefined, options: OutputOptions) => {
      const known = readContexts();
      const asked = name ?? process.env.SALLYPORT_CONTEXT ?? known.current;
      if (asked === null || asked === '')
        throw new UsageError('no context is in use: name one, or say "sallyport context use NAME"');
      const one = shown(known, asked);
      if (options.json === true) return sayJson({ context: one });
      details([
        ['Name', one.name],
        ['In use', one.inUse ? 'yes' : 'no'],
        ['Place', one.place],
        ['Token', one.token ?? 'none is needed'],
        ...(one.caFile === null ? [] : ([['CA', one.caFile]] as const)),
        ['Kept in', contextsFile() ?? 'nothing: there is no home'],
      ]);
    }),
  );
  examples(show, 'sallyport context show', 'sallyport context show production');
}

function addUse(context: Command): void {
  const use = own(
    context,
    'use [context]',
    'use a context in every command that names no other place',
  )
    .option('--none', 'use none')
    .action((name: string | undefined, options: OutputOptions & { readonly none?: boolean }) => {
      if ((name === undefined) !== (options.none === true))
        throw new UsageError('name the context to use, or say --none');
      const current = name ?? null;
      changeContexts((known) => {
        if (current !== null) contextIn(known, current);
        return { ...known, current };
      });
      if (options.json === true) sayJson({ current });
      else say(current === null ? 'No context is in use.' : `The context ${current} is in use.`);
    });
  examples(use, 'sallyport context use production', 'sallyport context use --none');
}

function addAdd(context: Command): void {
  const add = own(context, 'add <name>', 'add a context: a running gate, or a configuration file')
    .option('--server <url>', 'the admin API of a running gate')
    .option('--ca-file <file>', 'with --server: the CA of its certificate (PEM)')
    .option('--token-file <file>', 'with --server: read the token from this file')
    .option('--token-env <name>', 'with --server: read it from this environment variable')
    .option('--token-command <command>', 'with --server: read it from what this command prints')
    .option('--config <file>', 'the configuration file that names the store')
    .option('--use', 'use it from now on')
    .option('--replace', 'take the place of the context of this name')
    .action((name: string, options: AddOptions) => {
      const made = contextOf(name, options);
      changeContexts((known) => added(known, name, made, options));
      const told = shown(readContexts(), name);
      if (options.json === true) sayJson({ context: told });
      else say(`Added the context ${name} (${told.place})${told.inUse ? '; it is in use' : ''}.`);
    });
  add.description(
    'add a context: a running gate, or a configuration file.\n' +
      'A token is never kept in it, only where it is read: the default is SALLYPORT_TOKEN.',
  );
  examples(
    add,
    'sallyport context add production --server https://gate.example:9443 --token-file ~/.sallyport-token --use',
    'sallyport context add staging --server https://staging.example:9443 --token-command "pass show sallyport/staging"',
    'sallyport context add local --config manage.yaml',
  );
}

function added(
  known: Contexts,
  name: string,
  made: Context,
  { use, replace }: AddOptions,
): Contexts {
  if (Object.hasOwn(known.contexts, name) && replace !== true)
    throw new UsageError(`there is a context ${name} already: add --replace to change it`);
  const contexts = { ...known.contexts, [name]: made };
  return { current: use === true ? name : known.current, contexts };
}

/** Paths become absolute: a context means the same everywhere. */
function contextOf(name: string, options: AddOptions): Context {
  const { config, server, caFile, tokenFile, tokenEnv, tokenCommand } = options;
  if (!isContextName(name))
    throw new UsageError(
      'the name of a context is 1 to 64 letters, digits, dots, underscores and hyphens',
    );
  if ((server === undefined) === (config === undefined))
    throw new UsageError('say --server (a running gate) or --config (the store itself)');
  if (config !== undefined) {
    if ([caFile, tokenFile, tokenEnv, tokenCommand].some((one) => one !== undefined))
      throw new UsageError('--ca-file and --token-… are for --server');
    return { config: resolve(config) };
  }
  if ([tokenFile, tokenEnv, tokenCommand].filter((one) => one !== undefined).length > 1)
    throw new UsageError('say one of --token-file, --token-env and --token-command');
  return {
    server: serverUrl(server ?? '').href.replace(/\/$/, ''),
    ...(caFile === undefined ? {} : { caFile: resolve(caFile) }),
    ...(tokenFile === undefined ? {} : { tokenFile: resolve(tokenFile) }),
    ...(tokenEnv === undefined ? {} : { tokenEnv }),
    ...(tokenCommand === undefined ? {} : { tokenCommand }),
  };
}

function addRemove(context: Command): void {
  const remove = own(
    context,
    'remove <context>',
    'remove a context; what it names stays as it is',
  ).action((name: string, options: OutputOptions) => {
    changeContexts((known) => {
      contextIn(known, name);
      const { [name]: _, ...contexts } = known.contexts;
      return { current: known.current === name ? null : known.current, contexts };
    });
    if (options.json === true) sayJson({ removed: name });
    else say(`Removed the context ${name}.`);
  });
  examples(remove, 'sallyport context remove staging');
}

function contextIn({ contexts }: Contexts, name: string): Context {
  const found = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (found !== undefined) return found;
  throw new UsageError(
    `there is no context ${name}: "sallyport context list" shows those there are`,
  );
}

function shown(known: Contexts, name: string): Shown {
  const context = contextIn(known, name);
  const common = { name, inUse: known.current === name };
  if ('config' in context) return { ...common, place: context.config, token: null, caFile: null };
  const { server, caFile = null } = context;
  return { ...common, place: server, token: tokenSourceOf(name, context).words, caFile };
}
