import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * What is started in a process of its own: the bundle, which starts in a third of the time, where
 * it is not older than the sources.
 */
export const MAIN = join(ROOT, hasBundle() ? 'dist/app/main.js' : 'src/main.ts');

function hasBundle(): boolean {
  const main = join(ROOT, 'dist/app/main.js');
  if (!existsSync(main)) return false;
  const sources = [join(ROOT, 'src'), join(ROOT, 'package.json'), join(ROOT, 'package-lock.json')];
  const newer = spawnSync('find', [...sources, '-newer', main], { encoding: 'utf8' });
  return newer.status === 0 && newer.stdout === '';
}
