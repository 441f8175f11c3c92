import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
/**
 * The newest version that knows one schema of records alone, and no tombstones in the embedded
 * store: what it must not overlook has come since. Every clone with its history has it.
 */
const COMMIT = '68c2b8cf2bb276d9d788ce10d58bfabee8f1651d';
const NEEDED = ['src', 'package.json', 'package-lock.json'];

/**
 * Puts the sources of the earlier version into a folder. Answers what is to be started, or why that
 * cannot be.
 */
export function earlierVersion(
  folder: string,
): { readonly main: string } | { readonly missing: string } {
  const git = (...words: string[]) => spawnSync('git', ['-C', ROOT, ...words], { stdio: 'ignore' });
  if (git('cat-file', '-e', `${COMMIT}^{commit}`).status !== 0)
    return { missing: `this clone has no history that reaches back to ${COMMIT.slice(0, 9)}` };
  mkdirSync(folder);
  const tar = join(folder, 'sources.tar');
  execFileSync('git', ['-C', ROOT, 'archive', '--output', tar, COMMIT, ...NEEDED]);
  execFileSync('tar', ['-xf', tar, '-C', folder]);
  if (sharesLibraries(folder))
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  else
    execFileSync('npm', ['ci', '--omit=dev', '--omit=optional', '--ignore-scripts'], {
      cwd: folder,
      stdio: 'ignore',
    });
  return { main: join(folder, 'src', 'main.ts') };
}

/** Whether what it uses at run time is installed here, in the versions that it names. */
function sharesLibraries(folder: string): boolean {
  const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  return Object.entries(dependencies).every(([name, version]) => {
    const file = join(ROOT, 'node_modules', name, 'package.json');
    return (
      existsSync(file) &&
      (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version === version
    );
  });
}
