import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEmbeddedRegistry } from '../../../src/registry/embedded.ts';
import { EMBEDDED, Shell } from './cli.ts';

describe('the words of the command line', () => {
  const shell = new Shell();

  beforeAll(() => {
    shell.write('sallyport.yaml', EMBEDDED);
    shell.write('broken.yaml', 'routes: [\n');
    shell.write('faulty.yaml', EMBEDDED.replace('permission:', 'permision:').replace('name: test', 'name: "no name"'));
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
    [['account', 'list', '--server', 'https://localhost:9443', '--config', 'x.yaml'], /either --config/],
    [['account', 'list', '--ca-file', 'ca.pem'], /--server/],
    [['account', 'list', '--config', 'missing.yaml'], /missing\.yaml/],
    [['account', 'list', '--config', 'broken.yaml'], /broken\.yaml:/],
    [['serve', '--config', 'sallyport.yaml'], /no listener/],
    [['serve'], /--config/],
  ])('%j is wrong usage', async (words, message) => {
    const result = await shell.run(...words);
    expect(result).toMatchObject({ code: 2, out: '' });
    expect(result.err).toMatch(message);
    expect(result.err).not.toMatch(/^\s+at /m);
  });

  it.each([[['--help']], [['account', '--help']], [['account', 'create', '--help']], [['help', 'account']], [['--version']]])(
    '%j is answered on stdout',
    async (words) => {
      const result = await shell.run(...words);
      expect(result).toMatchObject({ code: 0, err: '' });
      expect(result.out).not.toBe('');
    },
  );

  it('shows examples in the help of a command', async () => {
    expect((await shell.run('account', 'create', '--help')).out).toContain('Examples:\n  sallyport account create');
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
    mkdirSync(shell.path('store'), { mode: 0o700 });
    const held = openEmbeddedRegistry(shell.path('store/registry.db'));
    const result = await shell.run('account', 'create', 'x', '--role', 'none', '--config', 'sallyport.yaml');
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
