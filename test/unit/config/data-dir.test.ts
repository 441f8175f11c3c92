import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeDevConfig } from '../../../src/cli/dev-config.ts';
import { DataDirFault, prepareDataDir } from '../../../src/config/data-dir.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { folder } from './samples.ts';

const modeOf = (path: string) => statSync(path).mode & 0o777;

it('is made with mode 0700, with the folders above it, and left empty', () => {
  const dir = join(folder(), 'var', 'data');
  expect(prepareDataDir(dir)).toEqual([]);
  expect(modeOf(dir)).toBe(0o700);
  expect(readdirSync(dir)).toEqual([]);
});

it('is closed to others with all files in it, and says so', () => {
  const dir = join(folder(), 'data');
  mkdirSync(dir);
  chmodSync(dir, 0o755);
  writeFileSync(join(dir, 'registry.db'), 'x');
  chmodSync(join(dir, 'registry.db'), 0o644);
  writeFileSync(join(dir, 'tls.key'), 'x', { mode: 0o600 });
  const notes = prepareDataDir(dir);
  expect(notes).toEqual([
    `${dir} was open to other users; its mode is now 0700`,
    `${join(dir, 'registry.db')} was open to other users; its mode is now 0600`,
  ]);
  expect([modeOf(dir), modeOf(join(dir, 'registry.db'))]).toEqual([0o700, 0o600]);
  expect(prepareDataDir(dir)).toEqual([]);
});

it('is refused where it cannot be', () => {
  const dir = folder({ file: 'x' });
  expect(() => prepareDataDir(join(dir, 'file'))).toThrow(DataDirFault);
  expect(() => prepareDataDir(join(dir, 'file', 'data'))).toThrow(
    /the data folder cannot be made \(ENOTDIR\)/,
  );
  expect(() => prepareDataDir('/proc/sallyport')).toThrow(/the data folder cannot be made/);
});

it('is refused where nothing can be written', (ctx) => {
  // Root may write everywhere but where the file system itself says no, which a full one does.
  const dir = join(folder(), 'data');
  mkdirSync(dir, { mode: 0o700 });
  const mounted =
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro,mode=0700', 'tmpfs', dir], { stdio: 'ignore' })
      .status === 0;
  if (!mounted) ctx.skip('a read-only file system cannot be mounted here');
  try {
    expect(() => prepareDataDir(dir)).toThrow(`${dir}: the data folder is not writable (EROFS)`);
  } finally {
    spawnSync('umount', [dir]);
  }
});

it('is refused to root where somebody else could lead what is written elsewhere', (ctx) => {
  if (process.getuid?.() !== 0) ctx.skip('needs root, who may write everywhere');
  const place = folder();
  const stranger = 12_345;
  const foreign = join(place, 'foreign');
  mkdirSync(foreign);
  chownSync(foreign, stranger, stranger);
  expect(() => prepareDataDir(foreign)).toThrow(/belongs to user 12345.*runs as user 0/);

  const victim = join(place, 'victim');
  mkdirSync(victim);
  writeFileSync(join(victim, 'passwd'), 'x', { mode: 0o644 });
  const link = join(place, 'link');
  symlinkSync(victim, link);
  lchownSync(link, stranger, stranger);
  expect(() => prepareDataDir(link)).toThrow(/the link belongs to user 12345/);
  expect(modeOf(join(victim, 'passwd'))).toBe(0o644);

  const planted = join(place, 'planted');
  mkdirSync(planted);
  symlinkSync(join(victim, 'passwd'), join(planted, 'dev.yaml.new'));
  lchownSync(join(planted, 'dev.yaml.new'), stranger, stranger);
  expect(() => prepareDataDir(planted)).toThrow(/dev\.yaml\.new: the link belongs to user 12345/);
});

it('is written without following what a crash left there', () => {
  const dir = folder();
  writeFileSync(join(dir, 'other'), 'kept');
  symlinkSync(join(dir, 'other'), join(dir, 'dev.yaml.new'));
  writeDevConfig(join(dir, 'dev.yaml'), {
    port: 1,
    adminPort: 2,
    opsPort: 3,
    sampleUrl: 'http://h',
  });
  expect(readFileSync(join(dir, 'other'), 'utf8')).toBe('kept');
  expect(readFileSync(join(dir, 'dev.yaml'), 'utf8')).toContain('127.0.0.1:1');
});

it('is not made by loading a configuration', () => {
  const dir = folder({ 'a.yaml': 'instance: { dataDir: data }' });
  expect(loadConfig(join(dir, 'a.yaml')).config.instance.dataDir).toBe(join(dir, 'data'));
  expect(existsSync(join(dir, 'data'))).toBe(false);
});
