import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { checkWritten } from '../../../src/cli/check-written.ts';
import { loadChecked } from '../../../src/cli/load.ts';

function said(path: string, prepare: (folder: string) => void = () => {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-written-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  prepare(folder);
  const file = join(folder, 'sallyport.yaml');
  writeFileSync(file, `realm: a\nlog:\n  access:\n    path: ${path}\n`);
  try {
    loadChecked(file, [checkWritten]);
    return 'in order';
  } catch (error) {
    return (error as Error).message;
  }
}

it('names the line of an access log whose folder is not there, or which is a folder', () => {
  expect(said('logs/access.log')).toMatch(/4:5.*log\.access\.path.*ENOENT.*make its folder/s);
  expect(said('logs', (folder) => mkdirSync(join(folder, 'logs')))).toContain('name a file');
  expect(said('a/b', (folder) => writeFileSync(join(folder, 'a'), ''))).toContain('ENOTDIR');
});

it('says nothing of one that can be written, or made', () => {
  expect(said('access.log')).toBe('in order');
  expect(said('access.log', (folder) => writeFileSync(join(folder, 'access.log'), ''))).toBe(
    'in order',
  );
});

it('names one that this user may not write', (ctx) => {
  if (process.getuid?.() === 0) ctx.skip('root may write everywhere');
  const closed = (folder: string) => {
    mkdirSync(join(folder, 'logs'));
    chmodSync(join(folder, 'logs'), 0o500);
  };
  expect(said('logs/access.log', closed)).toContain('EACCES');
});
