import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProgram } from '../../../src/cli/program.ts';
import { openEmbeddedRegistry } from '../../../src/registry/embedded/registry.ts';
import { EMBEDDED, owner, Shell } from '../../support/shell.ts';

/** Of util-linux: runs a command on a terminal of its own. */
const TERMINAL = 'script';

const COLOUR = new RegExp(`${'\u001b'}\\[\\d[\\d;]*m`);

/** Those that do something: groups only lead to them. */
function commandsOf(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(commandsOf);
}

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (piece) => {
      text += piece;
    },
  });
  command.outputHelp();
  return text;
}

describe('the words of the command line', () => {
  const shell = new Shell();

  beforeAll(async () => {
    shell.write('sallyport.yaml', EMBEDDED);
    await shell.prepare((admin) =>
      admin.createRole(owner, { name: 'viewer', permissions: ['apps:read'] }),
    );
    shell.write('broken.yaml', 'routes: [\n');
    shell.write(
      'faulty.yaml',
      EMBEDDED.replace('permission:', 'permision:').replace('name: test', 'name: "no name"'),
    );
    shell.write(
      'tie.yaml',
      `${EMBEDDED}  - { name: also, path: "/apps/{other}/x", methods: [GET], application: any, permission: apps:read, upstream: api }\n  - { name: again, path: "/apps/{more}/x", methods: [GET], application: any, permission: apps:read, upstream: api }\n`,
    );
  });
  afterAll(() => shell.close());

  it.each([
    [['account', 'create', 'x', '--config', 'sallyport.yaml'], /--role/],
    [['account', 'create', '--role', 'none', '--config', 'sallyport.yaml'], /name/],
    [['account', 'lst'], /unknown command 'lst'[\s\S]*list/],
    [['acount'], /unknown command 'acount'[\s\S]*account/],
    [['account', 'list', '--jsn'], /unknown option '--jsn'/],
    [['account', 'list', 'extra'], /too many arguments/],
    [['account', 'create', 'x', '--role', 'none', '--expires', 'soon'], /2030-01-31/],
    [['account', 'create', 'x', '--role', 'none', '--team', 'payments'], /team:role/],
    [['activity', 'x', '--limit', '0'], /from 1 to 1000/],
    [['account'], /Usage: sallyport account/],
    [[], /Usage: sallyport/],
    [['account', 'list'], /which store/],
    [['account', 'list', '--server', 'https://localhost:9443'], /SALLYPORT_TOKEN/],
    [['account', 'list', '--server', 'http://localhost:9443'], /https:/],
    [
      ['account', 'list', '--server', 'https://localhost:9443', '--config', 'x.yaml'],
      /either --config/,
    ],
    [['account', 'list', '--ca-file', 'ca.pem'], /--server/],
    [['account', 'list', '--config', 'missing.yaml'], /missing\.yaml/],
    [['account', 'list', '--config', 'broken.yaml'], /broken\.yaml:/],
    [['serve', '--config', 'sallyport.yaml'], /no listener/],
    [['serve'], /--config/],
    [['account', 'list', '--status', 'gone'], /active, inactive, expired/],
    [['audit', 'tail', '--since', 'lately'], /24h/],
    [['activity', 'x', '--id', '--follow'], /--follow goes by the name/],
    [['completion', 'tcsh'], /bash, zsh, fish/],
  ])('%j is wrong usage', async (words, message) => {
    const result = await shell.run(...words);
    expect(result).toMatchObject({ code: 2, out: '' });
    expect(result.err).toMatch(message);
    expect(result.err).not.toMatch(/^\s+at /m);
  });

  it.each([
    [['--help']],
    [['account', '--help']],
    [['account', 'create', '--help']],
    [['help', 'account']],
    [['--version']],
  ])('%j is answered on stdout', async (words) => {
    const result = await shell.run(...words);
    expect(result).toMatchObject({ code: 0, err: '' });
    expect(result.out).not.toBe('');
  });

  it('shows examples in the help of a command', async () => {
    expect((await shell.run('account', 'create', '--help')).out).toContain(
      'Examples:\n  sallyport account create',
    );
  });

  it('shows an example in the help of every command', async () => {
    const program = await createProgram(null);
    expect(
      commandsOf(program)
        .filter((command) => !helpOf(command).includes('\nExamples:\n  '))
        .map((command) => command.name()),
    ).toEqual([]);
  });

  it('shows colours on a terminal, and none under NO_COLOR', (ctx) => {
    if (spawnSync(TERMINAL, ['--version'], { stdio: 'ignore' }).status !== 0)
      return ctx.skip('script (of util-linux) is not installed');
    const onTerminal = (env: Readonly<Record<string, string>>) => {
      const line = `${process.execPath} ${shell.main} role list --config sallyport.yaml`;
      const { stdout } = spawnSync(TERMINAL, ['-qec', line, '/dev/null'], {
        cwd: shell.folder,
        env: { ...shell.env, TERM: 'xterm-256color', SHELL: '/bin/sh', ...env },
        encoding: 'utf8',
        timeout: 20_000,
      });
      expect(stdout).toContain('administrator');
      // Of what is read by a pager, sequences that move the cursor remain.
      return COLOUR.test(stdout);
    };
    expect([onTerminal({}), onTerminal({ NO_COLOR: '1' })]).toEqual([true, false]);
  });

  it('checks a configuration and names everything that is wrong with it', async () => {
    const good = await shell.run('check', '--config', 'sallyport.yaml');
    expect(good).toMatchObject({ code: 0 });
    expect(good.out).toContain('1 route, 1 upstream, store embedded');
    const faulty = await shell.run('check', '--config', 'faulty.yaml');
    expect(faulty.code).toBe(2);
    expect(faulty.err).toMatch(/faulty\.yaml:\d+:\d+ instance\.name/);
    expect(faulty.err).toMatch(/faulty\.yaml:\d+:\d+ routes\[0\].*permision/);
    const tie = await shell.run('check', '--config', 'tie.yaml');
    expect(tie.code).toBe(2);
    expect(tie.err).toMatch(/tie\.yaml:\d+:\d+ routes\[2\].*also/);
  });

  it('tries the upstreams when asked to', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    shell.write('live.yaml', EMBEDDED.replace(':9"', `:${port}"`));
    const live = await shell.run('check', '--config', 'live.yaml', '--connect');
    server.close();
    expect(live).toMatchObject({ code: 0 });
    const dead = await shell.run('check', '--config', 'sallyport.yaml', '--connect');
    expect(dead.code).toBe(3);
    expect(dead.err).toContain('upstream api: 127.0.0.1:9 does not answer');
  });

  it('says that another process holds the store', async () => {
    const held = openEmbeddedRegistry(shell.path('store/registry.db'));
    const result = await shell.run(
      'account',
      'create',
      'x',
      '--role',
      'none',
      '--config',
      'sallyport.yaml',
    );
    await held.close();
    expect(result).toMatchObject({ code: 3, out: '' });
    expect(result.err).toContain('in use by another process');
  });

  it('shows where a fault came from only when it is asked to', async () => {
    const child = shell.start('account', 'list', '--config', 'missing.yaml');
    await child.ended;
    expect(child.err().trim().split('\n')).toHaveLength(1);
  });
});
