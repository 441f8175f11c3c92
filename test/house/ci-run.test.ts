import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ROOT } from './tree.ts';

/** .ci/run itself, with an npm and a runner that do and say what the test wants: what it makes of their answers decides what lands. */
let home = '';

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sallyport-ci-'));
  for (const folder of ['.ci', 'bin', 'tools', 'test/corpus', 'test/fault']) mkdirSync(join(home, folder), { recursive: true });
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
  expect(lines.slice(-4, -1).map((line) => line.trim().replace(/^\d+ s +/, ''))).toEqual([
    'install    exit code 0',
    'test       10 passed, 0 failed, 2 skipped',
    'corpus     5 passed, 0 failed, 1 skipped',
  ]);
});

it.each([
  ['a failed test', 'echo "10 passed, 1 failed"; exit 1', '15 passed, 1 failed, 0 skipped'],
  ['a suite that ends without counts', 'echo "all is well"', '5 passed, 1 failed, 0 skipped'],
  ['a suite that is killed', 'echo "1 passed, 0 failed" >/dev/null; kill -9 $$', '5 passed, 1 failed, 0 skipped'],
  ['an exit code that says more than the counts', 'echo "10 passed, 0 failed"; exit 3', '15 passed, 1 failed, 0 skipped'],
])('fails for %s, and still runs the rest', (_name, command, expected) => {
  npm({ test: command });
  script('bin/with-node', 'echo "5 passed, 0 failed, 0 skipped"');
  const { status, lines } = run();
  expect([status, lines.at(-1)]).toEqual([1, expected]);
});

it('stops when the installation fails, with a line that says so', () => {
  npm({ ci: 'exit 7', test: 'echo "10 passed, 0 failed"' });
  const { status, lines } = run();
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
  script('tools/npm', `if [ "$1" = ci ]; then\n${ci}\nelse\n${test}\nfi`);
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
