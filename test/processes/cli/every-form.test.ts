import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { storeOwner } from '../../../src/admin/actor.ts';
import { createAdministration } from '../../../src/admin/administration.ts';
import { EMBEDDED_FILES } from '../../../src/admin/embedded-files.ts';
import { failureOf } from '../../../src/cli/failure.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { snapshotOf } from '../../../src/cli/screen/out.ts';
import { systemClock } from '../../../src/clock.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { EmbeddedUsage } from '../../../src/stats/usage/embedded.ts';
import { UsageSketch } from '../../../src/stats/usage/sketch.ts';
import { NO_ACCOUNT } from '../../../src/stats/usage/table.ts';
import { encodeTable } from '../../../src/stats/usage/text.ts';
import { openWithRegistry } from '../../support/registry.ts';

const FORMS = ['json', 'yaml', 'name', 'wide', 'csv', 'jsonpath=PATH'] as const;

/** Every command that lists what has names, with what it needs besides, and where the items are. */
const LISTS: Readonly<Record<string, readonly [key: string, ...words: string[]]>> = {
  'account list': ['accounts'],
  'user list': ['accounts'],
  'role list': ['roles'],
  'team list': ['teams'],
  'approval list': ['approvals'],
  'webhook list': ['items'],
  'context list': ['contexts'],
  instances: ['items'],
  top: ['items', 'accounts'],
  'who-can': ['items', 'GET', '/apps/Billing/x'],
};

const folder = mkdtempSync(join(tmpdir(), 'sallyport-forms-'));
const config = join(folder, 'gate.yaml');
const actor = storeOwner('preparing', 'command-line');

/** One command line in this process; `code` is what the process would end with. */
async function run(...words: readonly string[]) {
  const program = await createProgram(words);
  let refused = '';
  const writeErr = (text: string) => {
    refused += text;
  };
  for (const command of everyCommand(program)) command.configureOutput({ writeErr, writeOut() {} });
  let code = 0;
  const { out, err } = await snapshotOf(async () => {
    try {
      await program.parseAsync([...words], { from: 'user' });
    } catch (error) {
      if ((error as { exitCode?: number }).exitCode === undefined) {
        code = failureOf(error).code;
        refused += failureOf(error).lines.join('\n');
      } else code = 2;
    }
  });
  return { code, out, err: err + refused };
}

function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

function formsOf(command: Command): readonly string[] | null {
  const output = command.options.find((option) => option.attributeName() === 'output');
  return output?.argChoices ?? null;
}

function nameOf(command: Command): string {
  const { parent } = command;
  return parent === null ? '' : `${nameOf(parent)} ${command.name()}`.trim();
}

beforeAll(async () => {
  vi.stubEnv('XDG_CONFIG_HOME', folder);
  vi.stubEnv('SALLYPORT_CONTEXT', undefined);
  vi.stubEnv('FORMS_SECRET', `whsec_${Buffer.alloc(32, 1).toString('base64')}`);
  const secret = ['$', '{FORMS_SECRET}'].join('');
  const text = JSON.stringify({
    instance: { name: 'forms', dataDir: join(folder, 'data') },
    store: { kind: 'embedded' },
    console: { approvals: { roles: ['release'] } },
    webhooks: [{ name: 'siem', url: 'https://siem.example', events: ['role-changed'], secret }],
    upstreams: { up: { addresses: ['http://127.0.0.1:9'] } },
    routes: [
      {
        ...{ name: 'apps', path: '/apps/{app}/**', methods: ['GET'], upstream: 'up' },
        ...{ application: '{app}', permission: 'apps:read' },
      },
    ],
  });
  writeFileSync(config, text);
  const stores = await openWithRegistry(parseConfig(text, config).config);
  const admin = createAdministration({ ...stores, clock: systemClock, instance: null });
  await admin.createRole(actor, { name: 'viewer', permissions: ['apps:read'] });
  await admin.createRole(actor, { name: 'release', permissions: ['releases:*'] });
  await admin.createTeam(actor, { name: 'payments', applications: ['Billing', 'Ledger'] });
  for (const name of ['ci', 'nightly'])
    await admin.createServiceAccount(actor, { name, role: 'viewer' });
  await admin.createServiceAccount(actor, {
    ...{ name: 'outsider', role: 'none' },
    teams: [{ team: 'payments', role: 'viewer' }],
  });
  await admin.createUser(actor, { name: 'ada', role: 'viewer', password: 'a rather long one' });
  await stores.close();
  const sketch = new UsageSketch(8);
  sketch.count('ci', 'ci', false, 1, 1, 0);
  const account = await encodeTable(sketch.table());
  const usage = new EmbeddedUsage(join(folder, 'data', EMBEDDED_FILES.usage));
  const minute = Math.floor(Date.now() / 60_000) - 1;
  await usage.writeMinute(minute, 'edge-1', { account, application: account, route: account });
  sketch.count(NO_ACCOUNT.id, NO_ACCOUNT.name, true, 1, 1, 0);
  const strangers = await encodeTable(sketch.table());
  const texts = { account: strangers, application: strangers, route: strangers };
  await usage.writeMinute(minute - 120, 'edge-1', texts);
  await usage.close();
  await run('context', 'add', 'here', '--config', config);
  const held = await run('account', 'edit', 'ci', '--role', 'release', '--config', config);
  expect(held.err).toContain('nothing is changed yet');
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

describe('the forms of lists', () => {
  it('are all there, for every list that there is', async () => {
    const commands = everyCommand(await createProgram(null));
    const lists = commands.filter(
      (command) => command.name() === 'list' || formsOf(command)?.includes('wide') === true,
    );
    expect(lists.map(nameOf).sort()).toEqual(Object.keys(LISTS).sort());
    for (const list of lists) expect(formsOf(list), nameOf(list)).toEqual(FORMS);
  });

  // No gate runs here, so there are no instances.
  it.each(Object.keys(LISTS).filter((name) => name !== 'instances'))(
    'tell the same items: %s',
    async (name) => {
      const [key, ...more] = LISTS[name]!;
      const at = name.startsWith('context') ? [] : ['--config', config];
      const told = async (form: string) => {
        const answer = await run(...name.split(' '), ...more, '-o', form, ...at);
        expect([answer.code, answer.out], `${form}: ${answer.err}`).toEqual([0, expect.anything()]);
        return answer.out;
      };
      const json = JSON.parse(await told('json')) as Record<string, readonly object[]>;
      const items = json[key]!;
      expect(items.length).toBeGreaterThan(0);
      expect(parse(await told('yaml'))).toMatchObject({ [key]: items });
      const linesOf = async (form: string) =>
        (await told(form)).split(/\r?\n/).filter((line) => line !== '');
      const first = (line: string) => line.split(/,| {2,}/)[0];
      const names = await linesOf('name');
      expect(names.length).toBe(items.length);
      expect((await linesOf('csv')).slice(1).map(first)).toEqual(names);
      expect((await linesOf('wide')).slice(1).map(first)).toEqual(names);
      expect(await linesOf(`jsonpath={.${key}[*]}`)).toHaveLength(items.length);
    },
  );

  it('of who calls most have no name for calls of nobody known', async () => {
    const told = async (...words: readonly string[]) =>
      (await run('top', ...words, '--since', '3h', '--config', config)).out.trim().split(/\r?\n/);
    expect(await told('accounts', '-o', 'name')).toEqual(['ci']);
    expect(await told('accounts', '-o', 'csv')).toHaveLength(3);
    expect(await told('routes', '-o', 'name')).toEqual(['ci', NO_ACCOUNT.name]);
  });

  it('of events are documents and lines, and no names', async () => {
    const told = (words: string, form: string) =>
      run(...words.split(' '), '-o', form, '--config', config);
    // It was created, and a change of it waits.
    expect(parseAllDocuments((await told('activity ci', 'yaml')).out)).toHaveLength(2);
    expect((await told('activity ci', 'csv')).out.trim().split('\r\n')).toHaveLength(3);
    for (const words of ['activity ci', 'audit tail'])
      for (const form of ['name', 'wide']) {
        const refused = { code: 2, err: expect.stringMatching(/knows json/) };
        expect(await told(words, form)).toMatchObject(refused);
      }
  });

  it('are refused in words by every command that has not all of them', async () => {
    for (const command of everyCommand(await createProgram(null))) {
      const forms = formsOf(command);
      for (const form of FORMS.filter((one) => forms?.includes(one) === false)) {
        const said = await run(...nameOf(command).split(' '), '-o', form);
        expect(said, nameOf(command)).toMatchObject({ code: 2, out: '' });
        expect(said.err).toContain(`This command knows ${forms!.join(', ')}.`);
      }
    }
  });
});

describe('who-can --matrix', () => {
  const matrix = (...words: readonly string[]) =>
    run('who-can', '--matrix', 'apps:read', ...words, '--config', config);

  it('tells accounts by applications, each by its role there', async () => {
    const { out } = await matrix();
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => line.split(/ {2,}/)),
    ).toEqual([
      ['ACCOUNT', 'Billing', 'Ledger'],
      ['ci', 'viewer', 'viewer'],
      ['nightly', 'viewer', 'viewer'],
      ['outsider', 'viewer', 'viewer'],
    ]);
    const none = await run('who-can', '--matrix', 'releases:run', '--config', config);
    expect(none.out).not.toContain('viewer');
  });

  it('is narrowed down, cut, and told in every form', async () => {
    const json = JSON.parse((await matrix('--search', 'out', '-o', 'json')).out);
    expect(json).toMatchObject({
      ...{ permission: 'apps:read', applications: ['Billing', 'Ledger'], total: 1, more: false },
      items: [
        {
          account: 'outsider',
          standing: null,
          cells: [
            { application: 'Billing', allowed: true, rule: 'team', team: 'payments' },
            { application: 'Ledger', allowed: true },
          ],
        },
      ],
    });
    const cut = await matrix('--limit', '1', '--application', 'LEDG', '-o', 'csv');
    expect(cut.out.trim().split('\r\n').slice(1)).toEqual([
      expect.stringMatching(/^ci,Ledger,true,viewer,default/),
    ]);
    expect((await matrix('-o', 'name')).out).toBe('ci\nnightly\noutsider\n');
    expect((await matrix('--limit', '2')).err).toContain('2 of 3 service accounts are shown');
    expect((await matrix('-o', 'wide')).out.trim().split('\n')).toHaveLength(7);
  });

  it('is about a permission, and refuses what is about a call', async () => {
    for (const words of [
      ['--host', 'a'],
      ['--from', '::1'],
    ])
      expect(await matrix(...words)).toMatchObject({
        code: 2,
        err: expect.stringContaining('leave out the call'),
      });
    for (const words of [[], ['GET'], ['GET', '/', '--search', 'a']])
      expect(await run('who-can', ...words, '--config', config)).toMatchObject({ code: 2 });
    expect(await run('who-can', '--matrix', '*', '--config', config)).toMatchObject({ code: 1 });
  });
});
