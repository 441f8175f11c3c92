import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ROOT } from '../../house/tree.ts';

/**
 * Runs the real runner with the real configuration over small test files: what its last line says
 * is what people believe.
 */
const BEGIN = "import { beforeAll, describe, expect, it } from 'vitest';\n";
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-reporter-'));
  mkdirSync(join(folder, 'test'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('counts what passed, failed and was skipped, and names the reasons of skips before the last line', () => {
  const run = runOver({
    mixed:
      "it('a', () => {}); it('b', () => expect(1).toBe(2));\n" +
      "it('c', (ctx) => ctx.skip('no nginx')); it('d', (ctx) => ctx.skip('no nginx'));",
  });
  expect(run.lastLines(2)).toEqual(['skipped 2: no nginx', '1 passed, 1 failed, 2 skipped']);
  expect(run.status).toBe(1);
});

it('names each failure once more in lines that can be searched for, with its first lines and its place', () => {
  const run = runOver({
    outer:
      "describe('outer', () => { it('is a\\n b', () => { throw new TypeError('one\\ntwo\\nthree\\nfour'); }); });\n" +
      "it('compares', () => expect({ x: 1 }).toEqual({ x: 2 }));",
    hook: "describe('group', () => { beforeAll(() => { throw new Error('no server'); }); it('b', () => {}); });",
    long: "it('c', () => { throw new Error('x'.repeat(5000)); });",
  });
  const named = run.lastLines(30).filter((line) => line.startsWith('FAILED '));
  expect(named).toEqual(
    expect.arrayContaining([
      'FAILED test/outer.test.ts > outer > is a b',
      'FAILED | TypeError: one',
    ]),
  );
  expect(named).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^FAILED \| at test\/outer\.test\.ts:2:\d+$/),
      'FAILED | three',
    ]),
  );
  expect(named).not.toContain('FAILED | four');
  expect(named).toEqual(
    expect.arrayContaining(['FAILED test/outer.test.ts > compares', 'FAILED | +   "x": 1,']),
  );
  expect(named).toEqual(
    expect.arrayContaining(['FAILED test/hook.test.ts > group', 'FAILED | Error: no server']),
  );
  expect(Math.max(...named.map(({ length }) => length))).toBeLessThan(250);
});

it('says what it was at when it is stopped, and counts what it knows', () => {
  const run = runOver({
    stuck:
      "it('a', () => {}); it('b', () => expect(1).toBe(2));\n" +
      "it('hangs', async () => { process.kill(process.ppid, 'SIGTERM'); await new Promise((done) => setTimeout(done, 50_000)); });",
  });
  expect(run.status).not.toBe(0);
  expect(run.lastLines(10)).toEqual(
    expect.arrayContaining([
      'FAILED the run did not come to its end',
      expect.stringMatching(/^FAILED test\/stuck\.test\.ts.* \(was under way\)$/),
    ]),
  );
});

it('is content when all passed', () => {
  const run = runOver({ good: "it('a', () => {});" });
  expect(run.lastLines(1)).toEqual(['1 passed, 0 failed, 0 skipped']);
  expect(run.status).toBe(0);
});

it.each([
  [
    'a file that cannot be imported',
    { good: "it('a', () => {});", bad: "import './nowhere.ts';" },
    '1 passed, 1 failed, 0 skipped',
  ],
  [
    'a file without a test',
    { good: "it('a', () => {});", empty: '' },
    '1 passed, 1 failed, 0 skipped',
  ],
  [
    'a run in which everything was skipped',
    { none: "it('a', (ctx) => ctx.skip('x'));" },
    '0 passed, 1 failed, 1 skipped',
  ],
  ['a run without a file', {}, '0 passed, 1 failed, 0 skipped'],
  [
    'a fault that no test caught',
    { late: "it('a', () => { void Promise.reject(new Error('x')); });" },
    '1 passed, 1 failed, 0 skipped',
  ],
  [
    'a runner that dies',
    { dies: "it('a', () => { process.kill(process.ppid, 'SIGKILL'); });" },
    null,
  ],
])('calls %s failed', (_name, files, expected) => {
  const run = runOver(files as Record<string, string>);
  if (expected !== null) expect(run.lastLines(1)).toEqual([expected]);
  expect(run.status).not.toBe(0);
});

it('calls a failed hook failed, and what it kept from running not passed', () => {
  const run = runOver({
    hook: "beforeAll(() => { throw new Error('x'); }); it('a', () => {}); it('b', () => {});",
  });
  expect(run.lastLines(1)[0]).toMatch(/^0 passed, [1-9]\d* failed, \d+ skipped$/);
  expect(run.status).toBe(1);
});

function runOver(files: Record<string, string>): {
  status: number | null;
  lastLines(count: number): string[];
} {
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(folder, 'test', `${name}.test.ts`), BEGIN + text);
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
  const words = [vitest, 'run', '--root', folder, '--config', join(ROOT, 'vitest.config.ts')];
  // What vitest tells its own workers must not reach the inner run.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VITEST|TEST|NODE_ENV)/.test(name)),
  );
  const { status, stdout } = spawnSync(process.execPath, words, {
    cwd: folder,
    encoding: 'utf8',
    env,
  });
  const lines = stdout.trimEnd().split('\n');
  return { status, lastLines: (count) => lines.slice(-count) };
}
