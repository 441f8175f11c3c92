import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SecretVolume } from '../support/world/secret-volume.ts';

it('says why it is left out where no network namespace can be made', () => {
  const module = new URL('../support/world/namespace.ts', import.meta.url).href;
  const script = `const { wayIn, outsideWhy } = await import(${JSON.stringify(module)});
    Object.assign(process.env, wayIn().env); console.log(outsideWhy())`;
  const env = { PATH: '/nowhere', TMPDIR: tmpdir() };
  const words = ['--input-type=module', '--eval', script];
  const { stdout } = spawnSync(process.execPath, words, { env, encoding: 'utf8' });
  expect(stdout).toBe('no network namespace can be made here: unshare is not installed\n');
});

it('swaps all files of a Secret in one step, and leaves none of the former behind', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-secret-'));
  try {
    const volume = new SecretVolume(join(folder, 'secret'), { a: 'a1', b: 'b1' });
    volume.rotate({ a: 'a2' });
    const read = (name: string) => readFileSync(volume.file(name), 'utf8');
    expect([read('a'), read('b')]).toEqual(['a2', 'b1']);
    const names = readdirSync(volume.path).sort();
    expect(names).toEqual(['..data', '..turn_2', 'a', 'b']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
