import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from './tree.ts';

/**
 * The launchers of this repository in a house of their own, in which the Node that they find is
 * ours to choose.
 */
const SAYS_WHERE =
  'console.log(JSON.stringify({ args: process.argv.slice(2), cwd: process.cwd(), exec: process.execArgv }));';
/**
 * Prints the MiB of its young heap once it has been in use, and then those of a process that it
 * forks as the gate forks workers.
 */
const FORKS_AND_FILLS = `
import { fork } from 'node:child_process';
import { getHeapSpaceStatistics } from 'node:v8';
let some: object[] = [];
for (let i = 0; i < 2_000_000; i++) if (some.push({ i }) > 1000) some = [];
console.log(getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')!.space_size / 2 ** 20);
if (process.send === undefined) fork(import.meta.filename);`;
const NO_LIBATOMIC =
  'node: error while loading shared libraries: libatomic.so.1: cannot open shared object file: No such file or directory';
let home = '';
let house = '';

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-launcher-')));
  house = join(home, 'a house');
  for (const folder of ['bin', 'src', 'node_modules/.bin'])
    mkdirSync(join(house, folder), { recursive: true });
  for (const name of ['sallyport', 'with-node'])
    copyFileSync(join(ROOT, 'bin', name), join(house, 'bin', name));
  writeFileSync(
    join(house, 'src', 'main.ts'),
    `const where: string = 'typed';\nvoid where;\n${SAYS_WHERE}`,
  );
});

afterEach(() => rmSync(home, { recursive: true, force: true }));

describe('bin/sallyport', () => {
  it('hands its words over as they are and keeps the working folder', () => {
    lockNode();
    const words = ['account', 'create', 'a b', '', '*', '--x=$HOME'];
    expect(run(join(house, 'bin/sallyport'), words).answer).toEqual({
      args: words,
      cwd: home,
      exec: [],
    });
  });

  it('gives the gate, and the processes that it forks, a large young heap and room to grow; other commands none', () => {
    lockNode();
    const exec = [
      '--min-semi-space-size=16',
      '--max-semi-space-size=16',
      '--heap-growing-percent=200',
    ];
    const words = ['serve', '--config', 'a b.yaml'];
    expect(run(join(house, 'bin/sallyport'), words).answer).toEqual({
      args: words,
      cwd: home,
      exec,
    });
    expect(run(join(house, 'bin/sallyport'), ['account', 'serve']).answer?.exec).toEqual([]);
    expect(readFileSync(join(ROOT, 'Dockerfile'), 'utf8')).toContain(
      `ENTRYPOINT ["node", ${exec.map((word) => `"${word}"`).join(', ')}, "/app/dist/app/main.js"]`,
    );
    writeFileSync(join(house, 'src', 'main.ts'), FORKS_AND_FILLS);
    const [first, ...rest] = run(join(house, 'bin/sallyport'), ['serve'])
      .stdout.trim()
      .split('\n')
      .map(Number);
    expect(first).toBeGreaterThanOrEqual(16);
    expect(rest).toEqual([first]);
  });

  it('finds its house through links to links, absolute and relative', () => {
    lockNode();
    mkdirSync(join(home, 'tools'));
    symlinkSync(join(house, 'bin/sallyport'), join(home, 'tools/first'));
    symlinkSync('first', join(home, 'tools/sallyport'));
    expect(run(join(home, 'tools/sallyport'), ['x']).answer?.args).toEqual(['x']);
    expect(run('tools/sallyport', ['x']).answer?.args).toEqual(['x']);
    expect(run('sh', ['sallyport', 'x'], { cwd: join(home, 'tools') }).answer?.args).toEqual(['x']);
    expect(run('sallyport', ['x'], { path: join(home, 'tools') }).answer?.args).toEqual(['x']);
  });

  it('starts the bundle unless a source is newer, and below node_modules too', () => {
    lockNode();
    // All of coreutils, findutils and sh that is there.
    const path = process.env.PATH ?? '';
    const started = () => run(join(house, 'bin/sallyport'), [], { path }).stdout;
    mkdirSync(join(house, 'dist/app'), { recursive: true });
    writeFileSync(join(house, 'dist/app/main.js'), "console.log('the bundle')");
    writeFileSync(join(house, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(house, 'package-lock.json'), '{}');
    const seconds = Date.now() / 1000;
    for (const name of ['src', 'src/main.ts', 'package.json', 'package-lock.json'])
      utimesSync(join(house, name), seconds - 60, seconds - 60);
    expect(started()).toBe('the bundle\n');
    utimesSync(join(house, 'src/main.ts'), seconds + 60, seconds + 60);
    expect(started()).toContain('"args":[]');
    rmSync(join(house, 'src'), { recursive: true });
    const below = join(home, 'node_modules');
    mkdirSync(below);
    spawnSync('cp', ['-R', house, join(below, 'sallyport')]);
    expect(run(join(below, 'sallyport/bin/sallyport'), [], { path }).stdout).toBe('the bundle\n');
  });

  it('says why it does not run below node_modules', () => {
    const below = join(home, 'node_modules');
    mkdirSync(below);
    spawnSync('cp', ['-R', house, join(below, 'sallyport')]);
    const { status, stderr } = run(join(below, 'sallyport/bin/sallyport'), []);
    expect({ status, lines: stderr.trimEnd().split('\n').length }).toEqual({ status: 2, lines: 1 });
    expect(stderr).toContain('node_modules');
  });

  it('stands aside: signals reach node, and its exit code is the exit code', async () => {
    lockNode();
    writeFileSync(
      join(house, 'src/main.ts'),
      "process.on('SIGTERM', () => process.exit(7)); setInterval(() => {}, 1000); console.log(process.pid);",
    );
    const child = spawn(join(house, 'bin/sallyport'), { stdio: ['ignore', 'pipe', 'inherit'] });
    const [pid] = await once(child.stdout, 'data');
    expect(Number(pid)).toBe(child.pid);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([7, null]);
  });
});

describe('bin/with-node', () => {
  it('falls back to the first node of PATH that is new enough, the broken locked one not counted', () => {
    lockBrokenNode(NO_LIBATOMIC);
    const old = fakeNode('old', 'v22.22.0');
    const good = fakeNode('good', 'v26.1.0');
    const path = [join(house, 'node_modules/.bin'), old, join(home, 'nowhere'), good].join(':');
    expect(run(join(house, 'bin/sallyport'), ['x'], { path }).stdout).toBe(
      `v26.1.0 runs ${house}/src/main.ts x\n`,
    );
  });

  it('keeps a Node before 26 from warning about what it still calls experimental', () => {
    const path = fakeNode('good', 'v24.0.0');
    expect(run(join(house, 'bin/with-node'), ['a.ts'], { path }).stdout).toBe(
      'v24.0.0 runs --disable-warning=ExperimentalWarning a.ts\n',
    );
  });

  it.each([
    ['libatomic1', () => lockBrokenNode(NO_LIBATOMIC)],
    ['Exec format error', () => lockBrokenNode('with-node: node: Exec format error')],
    ['npm ci', () => {}],
  ])('says in one line what is missing: %s', (expected, prepare) => {
    prepare();
    const { status, stderr, stdout } = run(join(house, 'bin/sallyport'), [], {
      path: fakeNode('old', 'v20.20.2'),
    });
    expect({ status, stdout, lines: stderr.trimEnd().split('\n').length }).toEqual({
      status: 2,
      stdout: '',
      lines: 1,
    });
    expect(stderr).toContain(expected);
    expect(stderr).toContain('node >= 24');
  });
});

describe('an installed package', () => {
  beforeEach(() => {
    mkdirSync(join(home, 'node_modules/.bin'), { recursive: true });
    rmSync(join(house, 'src'), { recursive: true });
    rmSync(join(house, 'node_modules'), { recursive: true });
    mkdirSync(join(house, 'dist/app'), { recursive: true });
    writeFileSync(join(house, 'dist/app/main.js'), '');
    spawnSync('cp', ['-R', house, join(home, 'node_modules/sallyport')]);
  });
  const installed = (path = '') => run('node_modules/sallyport/bin/sallyport', ['x'], { path });
  const main = () => join(home, 'node_modules/sallyport/dist/app/main.js');

  it('runs on the Node that npm has put beside it, or on one of PATH where that is an old one', () => {
    const beside = join(home, 'node_modules/.bin/node');
    symlinkSync(join(fakeNode('beside', 'v26.1.0'), 'node'), beside);
    expect(installed().stdout).toBe(`v26.1.0 runs ${main()} x\n`);
    rmSync(beside);
    symlinkSync(join(fakeNode('old', 'v22.22.0'), 'node'), beside);
    expect(installed(fakeNode('good', 'v26.2.0')).stdout).toBe(`v26.2.0 runs ${main()} x\n`);
  });

  it('says how its Node is installed', () => {
    const { status, stderr } = installed();
    expect(status).toBe(2);
    expect(stderr).toContain('npm install --include=optional');
  });

  it('takes no Node from a folder that npm has not made', () => {
    mkdirSync(join(home, '.bin'));
    symlinkSync(join(fakeNode('stray', 'v26.1.0'), 'node'), join(home, '.bin/node'));
    rmSync(join(house, 'dist'), { recursive: true });
    mkdirSync(join(house, 'dist/app'), { recursive: true });
    writeFileSync(join(house, 'dist/app/main.js'), '');
    expect(run(join(house, 'bin/sallyport'), []).status).toBe(2);
  });
});

function lockNode(): void {
  symlinkSync(process.execPath, join(house, 'node_modules/.bin/node'));
}

function lockBrokenNode(complaint: string): void {
  script(join(house, 'node_modules/.bin/node'), `echo '${complaint}' >&2; exit 127`);
}

/** A node that only knows its version and what it was asked to run. Answers its folder. */
function fakeNode(name: string, version: string): string {
  const folder = join(home, name);
  mkdirSync(folder);
  script(
    join(folder, 'node'),
    `[ "$1" = --version ] && { echo ${version}; exit; }; echo ${version} runs "$@"`,
  );
  return folder;
}

function script(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
}

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly answer: { args: string[]; cwd: string; exec: string[] } | null;
}

/**
 * `path` stands before the folders of sh, dirname, readlink and head, in which there is no node:
 * they are linked into a folder of their own.
 */
function run(command: string, words: readonly string[], { cwd = home, path = '' } = {}): Ran {
  const tools = join(home, 'coreutils');
  mkdirSync(tools, { recursive: true });
  for (const tool of ['sh', 'dirname', 'readlink', 'head']) {
    const found = ['/usr/bin', '/bin']
      .map((folder) => join(folder, tool))
      .find((file) => spawnSync('test', ['-x', file]).status === 0);
    if (found !== undefined) spawnSync('ln', ['-sf', found, join(tools, tool)]);
  }
  const env = { PATH: path === '' ? tools : `${path}:${tools}` };
  const { status, stdout, stderr } = spawnSync(command, words, { cwd, env, encoding: 'utf8' });
  return { status, stdout, stderr, answer: stdout.startsWith('{') ? JSON.parse(stdout) : null };
}
