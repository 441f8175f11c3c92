import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ROOT } from '../../house/tree.ts';

/**
 * .ci/run itself, with an npm and a runner that do and say what the test wants: what it makes of
 * their answers decides what lands.
 */
let home = '';

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sallyport-ci-'));
  for (const folder of ['.ci', 'bin', 'tools', 'test/corpus', 'test/fault'])
    mkdirSync(join(home, folder), { recursive: true });
  copyFileSync(join(ROOT, '.ci/run'), join(home, '.ci/run'));
  script('tools/id', 'echo 1000');
  writeFileSync(join(home, 'test/corpus/a.test.ts'), '');
});

afterEach(() => rmSync(home, { recursive: true, force: true }));

it('adds up the suites, and runs only rings that have tests', () => {
  npm({ test: 'echo "a line"; echo "10 passed, 0 failed, 2 skipped"' });
  script('bin/with-node', 'echo "$2: 5 passed"; echo "5 passed, 0 failed, 1 skipped"');
  const { status, lines } = run();
  expect([status, lines.at(-1)]).toEqual([0, '15 passed, 0 failed, 3 skipped']);
  expect(lines.slice(-5, -1).map((line) => line.trim().replace(/^\d+ s +/, ''))).toEqual([
    'install    exit code 0',
    'test       10 passed, 0 failed, 2 skipped',
    'bundle     exit code 0',
    'corpus     5 passed, 0 failed, 1 skipped',
  ]);
});

it.each([
  ['a failed test', 'echo "10 passed, 1 failed"; exit 1', '15 passed, 1 failed, 0 skipped'],
  ['a suite that ends without counts', 'echo "all is well"', '5 passed, 1 failed, 0 skipped'],
  [
    'a suite that is killed',
    'echo "1 passed, 0 failed" >/dev/null; kill -9 $$',
    '5 passed, 1 failed, 0 skipped',
  ],
  [
    'an exit code that says more than the counts',
    'echo "10 passed, 0 failed"; exit 3',
    '15 passed, 1 failed, 0 skipped',
  ],
])('fails for %s, and still runs the rest', (_name, command, expected) => {
  npm({ test: command });
  script('bin/with-node', 'echo "5 passed, 0 failed, 0 skipped"');
  const { status, lines } = run();
  expect([status, lines.at(-1)]).toEqual([1, expected]);
});

it('names every failed test of every suite at its end, with the first lines of its error', () => {
  npm({
    test: 'echo "FAILED test/unit/a.test.ts > is a"; echo "FAILED | Error: no"; echo "1 passed, 1 failed, 0 skipped"; exit 1',
  });
  script(
    'bin/with-node',
    'echo "FAILED test/x.test.ts > $2"; echo "0 passed, 1 failed, 0 skipped"; exit 1',
  );
  expect(run().lines.slice(-8, -5)).toEqual([
    'test FAILED test/unit/a.test.ts > is a',
    'test FAILED | Error: no',
    'corpus FAILED test/x.test.ts > corpus',
  ]);
});

it('shows the end of a suite that failed without naming anything', () => {
  npm({ test: 'echo one; echo; echo two; exit 3' });
  script('bin/with-node', 'echo "1 passed, 0 failed, 0 skipped"');
  expect(run().lines.slice(-8, -5)).toEqual([
    'test FAILED ended without counts (exit code 3)',
    'test FAILED | one',
    'test FAILED | two',
  ]);
});

it('fails for a bundle that cannot be made, and still runs the rest', () => {
  script(
    'tools/npm',
    'case $* in\nrun*) echo "no such module"; exit 4 ;;\n*) echo "1 passed, 0 failed" ;;\nesac',
  );
  script('bin/with-node', 'echo "5 passed, 0 failed, 0 skipped"');
  const { status, lines } = run();
  expect(lines).toContain('bundle FAILED | no such module');
  expect([status, lines.at(-1)]).toEqual([1, '6 passed, 1 failed, 0 skipped']);
});

it('keeps all that within forty lines, names before errors', () => {
  const errors = "for n in 1 2 3 4 5 6 7 8 9; do echo 'FAILED | line'; done";
  const failing = (count: number) =>
    `for t in $(seq ${count}); do echo "FAILED file > test-$t"; ${errors}; done; echo "0 passed, ${count} failed"; exit 1`;
  npm({ test: failing(10) });
  script('bin/with-node', failing(10));
  const twenty = run().lines.slice(-40).join('\n');
  expect(twenty.match(/^(test|corpus) FAILED file > test-\d+$/gm)).toHaveLength(20);
  npm({ test: failing(100) });
  const many = run().lines.slice(-40);
  expect(many).toContain('test FAILED file > test-23');
  expect(many).toContain('and 87 more, named further up');
  expect(many.join('\n')).toMatch(/\+?\d+ s {2}install/);
});

it('stops when the installation fails, with a line that says so', () => {
  npm({ ci: 'echo "no registry"; exit 7', test: 'echo "10 passed, 0 failed"' });
  const { status, lines } = run();
  expect(lines).toContain('install FAILED | no registry');
  expect([status, lines.at(-1)]).toEqual([1, '0 passed, 1 failed, 0 skipped']);
});

it('gives the suites no input, and says that they run unattended', () => {
  npm({ test: 'read -r line && echo "got $line"; echo "CI=$CI"; echo "1 passed, 0 failed"' });
  script('bin/with-node', 'echo "0 passed, 0 failed, 4 skipped"');
  const { lines } = run();
  expect(lines).toContain('CI=true');
  expect(lines.filter((line) => line.startsWith('got'))).toEqual([]);
});

function npm({ ci = 'true', test }: { readonly ci?: string; readonly test: string }): void {
  script('tools/npm', `case $1 in\nci)\n${ci}\n;;\nrun) ;;\n*)\n${test}\n;;\nesac`);
}

function script(path: string, text: string): void {
  writeFileSync(join(home, path), `#!/bin/sh\n${text}\n`);
  chmodSync(join(home, path), 0o755);
}

function run(): { status: number | null; lines: string[] } {
  const env = { ...process.env, PATH: `${join(home, 'tools')}:/usr/local/bin:/usr/bin:/bin` };
  const { status, stdout } = spawnSync('bash', [join(home, '.ci/run')], {
    env,
    input: 'typed\n',
    encoding: 'utf8',
    cwd: tmpdir(),
  });
  return { status, lines: stdout.trimEnd().split('\n') };
}
