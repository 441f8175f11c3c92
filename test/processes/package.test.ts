import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { newKey, signed } from '../../src/assertion/key.ts';
import { projectFiles, ROOT } from '../house/tree.ts';
import { requireOrSkip } from '../support/system.ts';

/**
 * What `npm pack` makes of a clean clone, installed in an empty folder as anybody would. npm takes
 * what `npm ci` has fetched before.
 */
const home = mkdtempSync(join(tmpdir(), 'sallyport-package-'));
const clone = join(home, 'clone');
const empty = join(home, 'empty');
/** Whichever Node the machine has: the package brings its own. */
const PATH = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((folder) => !folder.startsWith(ROOT))
  .join(delimiter);
const env = { PATH, HOME: process.env.HOME, NO_COLOR: '1' };
const QUIET = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];

let packed: readonly string[] = [];
let dev: ChildProcess | null = null;

const npm = (cwd: string, ...words: string[]) =>
  execFileSync('npm', words, { cwd, env, encoding: 'utf8', maxBuffer: 2 ** 26 });

beforeAll(() => {
  for (const file of projectFiles()) {
    mkdirSync(dirname(join(clone, file)), { recursive: true });
    cpSync(join(ROOT, file), join(clone, file));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
  // Somebody's secrets, beside the examples.
  for (const name of ['gate.password', 'tls.key', 'ci.token'])
    writeFileSync(join(clone, 'config/redis', name), 'secret');
  const kept = join(clone, 'config/examples/one-machine/data');
  mkdirSync(kept, { recursive: true });
  writeFileSync(join(kept, 'audit-key.pem'), 'secret');
  const [made] = JSON.parse(npm(clone, 'pack', '--json', '--pack-destination', home)) as [
    { filename: string; files: { path: string }[] },
  ];
  packed = made.files.map(({ path }) => path);
  mkdirSync(empty);
  writeFileSync(join(empty, 'package.json'), '{ "private": true, "type": "module" }');
  npm(empty, 'install', ...QUIET, join(home, made.filename));
}, 240_000);

afterAll(() => {
  // With what npx has started.
  if (dev?.pid !== undefined) process.kill(-dev.pid, 'SIGKILL');
  rmSync(home, { recursive: true, force: true });
});

describe('the package', () => {
  it('holds what runs and what is read, no source, no test and no secret', () => {
    for (const file of [
      'bin/sallyport',
      'bin/with-node',
      'dist/app/main.js',
      'dist/app/compiled/README',
      'dist/app/LICENSES-OF-OTHERS',
      'dist/docs/index.html',
      'dist/verify/verify.js',
      'dist/verify/verify.d.ts',
      'config/redis/make-users.sh',
      'config/sallyport.schema.json',
      'README.md',
      'LICENSE',
    ])
      expect(packed).toContain(file);
    expect(packed.filter((path) => /^(src|test|node_modules|\.)/.test(path))).toEqual([]);
    const tracked = new Set(projectFiles());
    const strange = packed.filter((path) => !path.startsWith('dist/') && !tracked.has(path));
    expect(strange).toEqual([]);
  });

  it('runs nothing when it is installed, and says truly what it needs', () => {
    const manifest = JSON.parse(
      readFileSync(join(empty, 'node_modules/sallyport/package.json'), 'utf8'),
    ) as { scripts: object; engines: { node: string }; private?: boolean };
    const atInstall = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish'];
    expect(Object.keys(manifest.scripts).filter((name) => atInstall.includes(name))).toEqual([]);
    expect(manifest.private).toBeUndefined();
    expect(readFileSync(join(ROOT, 'bin/with-node'), 'utf8')).toContain(
      `-ge ${manifest.engines.node.replace('>=', '')} ]`,
    );
  });

  it('is a command that says its version', () => {
    const said = spawnSync('npx', ['--no-install', 'sallyport', '--version'], {
      cwd: empty,
      env,
      encoding: 'utf8',
    });
    expect(said).toMatchObject({ status: 0, stderr: '' });
    expect(said.stdout.trim()).toBe(
      JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version,
    );
  });

  it('opens a gate that lets a call in', async (ctx) => {
    requireOrSkip(ctx, 'curl');
    const words = ['dev', '--port', '0', '--admin-port', '0', '--ops-port', '0'];
    dev = spawn('npx', ['--no-install', 'sallyport', ...words], {
      cwd: empty,
      env,
      detached: true,
    });
    let page = '';
    for (const stream of [dev.stdout, dev.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (page += text));
    const ended = once(dev, 'exit');
    await vi.waitFor(() => expect(page).toContain('Ctrl-C ends it.'), 50_000);
    const gate = /Gate +(https:\/\/localhost:\d+)/.exec(page)![1]!;
    expect(await statusOf(`${gate}/echo`, { authorization: `Bearer ${devToken()}` })).toBe(200);
    expect(await statusOf(`${gate}/echo`, {})).toBe(401);
    process.kill(-dev.pid!, 'SIGINT');
    await ended;
    dev = null;
  });
});

describe('sallyport/verify', () => {
  const key = newKey(0);
  const second = Math.floor(Date.now() / 1000);
  const claims = { iss: 'gate', aud: 'api', sub: 'A1', name: 'ci', nbf: second, exp: second + 600 };
  const program = `
import { AssertionRefused, type Caller, createVerifier, readIdentity } from 'sallyport/verify';

const keys = JSON.parse(process.env.KEYS ?? '');
const verifier = createVerifier({ keys, issuer: 'gate', audience: 'api' });
const caller: Caller = await verifier.verify(process.env.ASSERTION);
const refused: unknown = await verifier.verify('a.b.c').catch((error: unknown) => error);
const identity = readIdentity(new Headers({ 'x-account-id': 'A1', 'x-account-name': 'ci' }));
console.log(caller.name, refused instanceof AssertionRefused && refused.reason, identity?.id);
`;

  it('is imported by a program, with its types, and runs where that runs', () => {
    writeFileSync(join(empty, 'service.ts'), program);
    const options = { module: 'nodenext', target: 'es2022', strict: true, skipLibCheck: false };
    writeFileSync(
      join(empty, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          ...options,
          types: ['node'],
          typeRoots: [join(ROOT, 'node_modules/@types')],
        },
        files: ['service.ts'],
      }),
    );
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const checked = spawnSync(process.execPath, [tsc, '-p', empty], { encoding: 'utf8' });
    expect(checked).toMatchObject({ status: 0, stdout: '' });
    const ran = spawnSync('node', ['service.js'], {
      cwd: empty,
      env: {
        ...env,
        KEYS: JSON.stringify({ keys: [key.published] }),
        ASSERTION: signed(key, claims),
      },
      encoding: 'utf8',
    });
    expect(ran).toMatchObject({ stderr: '', stdout: 'ci malformed A1\n' });
  });
});

const devToken = () => readFileSync(join(empty, 'data/dev-token'), 'utf8').trim();

async function statusOf(url: string, headers: Record<string, string>): Promise<number> {
  const words = ['-s', '-o', '/dev/null', '-w', '%{http_code}', '--cacert', 'data/ca.pem'];
  const fields = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const { stdout } = spawnSync('curl', [...words, ...fields, url], {
    cwd: empty,
    encoding: 'utf8',
  });
  return Number(stdout);
}
