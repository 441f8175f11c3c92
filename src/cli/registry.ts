import type { Command } from 'commander';
import { prepareForMarker } from '../admin/marker-folder.ts';
import { plural } from '../admin/plural.ts';
import { damageFound, type Verification } from '../admin/verify.ts';
import { Refused, UsageError } from './exit.ts';
import { examples, group, leaf } from './options.ts';
import { placeOf } from './place/place.ts';
import { type Reached, type StoreOptions, withReach } from './reach.ts';
import { confirm, note, say, sayJson } from './terminal.ts';
import { addTransferCommands } from './transfer.ts';

interface RegistryOptions extends StoreOptions {
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly ifNone?: boolean;
}

export function addRegistryCommands(program: Command): void {
  const registry = group(
    program,
    'registry',
    'the whole registry: begin one, move it to another store',
  );
  addInit(registry);
  addAdopt(registry);
  addVerify(registry);
  addTransferCommands(registry);
}

function addInit(registry: Command): void {
  const init = leaf(registry, 'init', 'make a registry in a store that holds none')
    .option('--if-none', 'do nothing, with exit code 0, where the store holds one already')
    .action(makeRegistry);
  init.description(
    'make a registry in a store that holds none; prints its id.\n' +
      'The next step is: sallyport user create NAME --role administrator\n' +
      'A gate or a data folder that has served another registry answers 503 until "registry adopt".',
  );
  examples(init, 'sallyport registry init --config manage.yaml');
}

async function makeRegistry(options: RegistryOptions): Promise<void> {
  await withReach(options, 'any', async ({ control, actor }) => {
    const there =
      options.ifNone === true ? await control.administration.registryIdentify(actor, {}) : null;
    if (there !== null) {
      if (options.json === true) sayJson({ id: there, made: false });
      else note(`The store holds the registry ${there} already.`);
      return;
    }
    const { id, servedBefore } = await control.administration.registryInit(actor, {});
    if (options.json === true) return sayJson({ id, made: true, servedBefore });
    say(id);
    note('Made a registry with the role administrator, and the id above.');
    if (servedBefore !== null)
      note(
        `This data folder has served another registry (${servedBefore}) and answers 503 until it ` +
          `is told that this one is meant: sallyport registry adopt ${id}`,
      );
  });
}

function addAdopt(registry: Command): void {
  const adopt = leaf(
    registry,
    'adopt <id>',
    'let a data folder serve the registry that its store holds now',
  )
    .option('--yes', 'do not ask')
    .action(adoptRegistry);
  adopt.description(
    'let a data folder serve the registry that its store holds now.\n' +
      'An instance serves one registry only. Where its store holds another one, or had lost it, ' +
      'it answers 503 registry-foreign\nuntil the id of the new one is confirmed by this command, ' +
      "beside the instance's data folder. A running gate takes it over within seconds.",
  );
  examples(
    adopt,
    'sallyport registry adopt 0b1d3c5a-7e9f-4a2b-8c4d-6e8f0a1b2c3d --config sallyport.yaml',
  );
}

async function adoptRegistry(id: string, options: RegistryOptions): Promise<void> {
  if (placeOf(options).server !== null)
    throw new UsageError('registry adopt is about a data folder: run it there, with --config');
  await confirm(`Let this data folder serve the registry ${id}?`, options.yes);
  await withReach(options, 'any', async ({ control, actor, config }: Reached) => {
    if (config !== null) prepareForMarker(config, note);
    const adopted = await control.administration.registryAdopt(actor, { id });
    if (options.json === true) sayJson(adopted);
    else note(`This data folder serves the registry ${id} from now on.`);
    if (adopted.notRecorded !== null)
      note(`That is not on record, because the registry takes no change: ${adopted.notRecorded}`);
  });
}

function addVerify(registry: Command): void {
  const verify = leaf(
    registry,
    'verify',
    'check that all that a registry keeps agrees with itself',
  ).action(verifyAll);
  verify.description(
    'check that all that a registry keeps agrees with itself: records with their checksums\n' +
      '(embedded), accounts with their names, uses of roles and teams, lists and counts.\n' +
      'Changes nothing. Exit code 0: all of them agree; 1: they do not, one line for each finding;\n' +
      '3: the store could not be asked.',
  );
  examples(verify, 'sallyport registry verify --config sallyport.yaml');
}

async function verifyAll(options: RegistryOptions): Promise<void> {
  if (placeOf(options).server !== null)
    throw new UsageError('registry verify reads the store itself: run it with --config');
  const { findings, found, ...counts } = await verification(options);
  if (options.json === true) sayJson({ ...counts, found, findings });
  else for (const finding of findings) say(finding);
  const { accounts, roles, teams } = counts;
  const what = `${plural(accounts, 'account')}, ${plural(roles, 'role')} and ${plural(teams, 'team')}`;
  if (found > 0)
    throw new Refused(
      `${plural(found, 'finding')} in ${what}: bring the registry back from a backup, or from an export ` +
        'with "sallyport registry import FILE" into an empty store',
    );
  if (options.json !== true)
    note(
      `${what}, ${plural(counts.claims, 'name')} and ${plural(counts.references, 'use')}: all of them agree.`,
    );
}

/** A registry that cannot even be opened, because it is damaged, is a finding. */
async function verification(options: RegistryOptions): Promise<Verification> {
  try {
    return await withReach(options, false, ({ control, actor }) =>
      control.administration.registryVerify(actor, {}),
    );
  } catch (fault) {
    return damageFound(fault);
  }
}
