/**
 * `npm pack` runs it first (`prepack`): makes what the package holds and a clone does not. dist/app
 * is the program (bin/bundle.ts), dist/verify the library for services, by `tsc` with its types,
 * dist/docs the documentation that the console serves.
 */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { licencesOf } from './materials.ts';

const ROOT = join(import.meta.dirname, '..');

rmSync(join(ROOT, 'dist/verify'), { recursive: true, force: true });
run('bin/bundle.ts');
writeFileSync(join(ROOT, 'dist/app/LICENSES-OF-OTHERS'), licencesOf(ROOT));
run('node_modules/typescript/bin/tsc', '--project', 'src/verify/tsconfig.json');
run('docs/site/build.ts');

/** npm reads what is said on standard output: `npm pack --json`. */
function run(script: string, ...words: string[]): void {
  execFileSync(process.execPath, [join(ROOT, script), ...words], {
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
  });
}
