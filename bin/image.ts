/**
 * `bin/with-node bin/image.ts FOLDER`: puts into FOLDER what the image holds beside its base, as it
 * lies there: the bundle, the command line, the documentation that the console serves, the first
 * step of docker-compose.yml, licences and a bill of materials. The same sources give the same
 * bytes, modes and times, wherever and whenever it runs: every file is as old as SOURCE_DATE_EPOCH
 * says (seconds since 1970; default 0), and the umask of who builds does not count.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { rolldown } from 'rolldown';
import { billOf, licencesOf } from './materials.ts';

const ROOT = join(import.meta.dirname, '..');
const SECONDS = Number(process.env.SOURCE_DATE_EPOCH ?? 0);
/** Copied as they are. config/docker/init.ts reads the last two. */
const FILES = ['package.json', 'LICENSE', 'config/redis/make-users.sh', 'config/redis/users.acl'];
const PROGRAMS = ['bin/sallyport', 'config/redis/make-users.sh'];

/** In place of the repository's bin/sallyport, which needs a shell to find its Node. */
const COMMAND_LINE = `#!/usr/local/bin/node
import '../dist/app/main.js';
`;

const target = process.argv[2];
if (target === undefined || !Number.isSafeInteger(SECONDS) || SECONDS < 0) {
  console.error('usage: bin/with-node bin/image.ts FOLDER');
  console.error('SOURCE_DATE_EPOCH: whole seconds since 1970; default 0');
  process.exitCode = 2;
} else await fill(resolve(target));

async function fill(folder: string): Promise<void> {
  const app = join(folder, 'app');
  rmSync(app, { recursive: true, force: true });
  execFileSync(process.execPath, [join(ROOT, 'bin/bundle.ts'), join(app, 'dist/app')], {
    stdio: 'inherit',
  });
  // Of no use where nobody may write there.
  rmSync(join(app, 'dist/app/compiled'), { recursive: true, force: true });
  execFileSync(process.execPath, [join(ROOT, 'docs/site/build.ts'), join(app, 'dist/docs')], {
    stdio: 'inherit',
  });
  await bundleFirstStep(join(app, 'config/docker'));
  for (const file of FILES) {
    mkdirSync(dirname(join(app, file)), { recursive: true });
    cpSync(join(ROOT, file), join(app, file));
  }
  write(join(app, 'bin/sallyport'), COMMAND_LINE);
  write(join(app, 'LICENSES-OF-OTHERS'), licencesOf(ROOT));
  write(join(app, 'sbom.cdx.json'), billOf(ROOT, SECONDS));
  const link = join(folder, 'usr/local/bin/sallyport');
  rmSync(link, { force: true });
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync('/app/bin/sallyport', link);
  settle(folder, new Set(PROGRAMS.map((name) => join(app, name))));
}

/** It is run from the image too, where there are no sources. */
async function bundleFirstStep(folder: string): Promise<void> {
  const input = { init: 'config/docker/init.ts' };
  const build = await rolldown({ cwd: ROOT, input, platform: 'node' });
  await build.write({ dir: folder, format: 'esm', entryFileNames: '[name].js' });
  await build.close();
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** Modes and times, of what lies in a folder first. */
function settle(path: string, programs: ReadonlySet<string>): void {
  const found = lstatSync(path);
  if (found.isDirectory()) for (const name of readdirSync(path)) settle(join(path, name), programs);
  if (!found.isSymbolicLink())
    chmodSync(path, found.isDirectory() || programs.has(path) ? 0o755 : 0o644);
  lutimesSync(path, SECONDS, SECONDS);
}
