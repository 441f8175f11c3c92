/**
 * `npm run bundle [-- FOLDER]`: puts the sources, and what they use of the libraries, into the few
 * files of dist/app. A gate that starts from them takes a third of the processor time
 * (docs/decisions/069-start-bundle.md). bin/sallyport runs them as long as no source is newer.
 *
 * Nothing needs it: without it the sources are run. The package, the image and the benchmark make it
 * themselves.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { rolldown } from 'rolldown';

const ROOT = join(import.meta.dirname, '..');
const TARGET = resolve(process.argv[2] ?? join(ROOT, 'dist/app'));

/** What is started, and what that starts in processes and threads of its own, by its name. */
const ENTRIES = {
  main: 'src/main.ts',
  'workers-process': 'src/gateway/workers-process.ts',
  worker: 'src/audit/log/embedded/worker.ts',
  'load-thread': 'src/cli/load-thread.ts',
};

/** Read at run time, from beside the file that reads them. */
const FOLDERS = ['src/store/scripts', 'src/console/assets'];

/**
 * Names and lines stay, so that a stack trace can be read. Comments go, but for licences, and with
 * them all that is not ASCII: of a file with one such character V8 keeps two bytes for each.
 */
const LEAN = {
  comments: { legal: true, annotation: false, jsdoc: false },
  minify: {
    compress: false,
    mangle: false,
    codegen: { removeWhitespace: false, asciiOnly: true, legalComments: 'inline' },
  },
} as const;

await bundle();

async function bundle(): Promise<void> {
  // A source that is changed while it is read is newer than this.
  const began = new Date();
  const next = `${TARGET}.${process.pid}`;
  rmSync(next, { recursive: true, force: true });
  const build = await rolldown({ cwd: ROOT, input: ENTRIES, platform: 'node' });
  await build.write({ dir: next, format: 'esm', entryFileNames: '[name].js', ...LEAN });
  await build.close();
  for (const folder of FOLDERS)
    cpSync(join(ROOT, folder), join(next, folder.split('/').at(-1)!), { recursive: true });
  // Filled by those that start from it (src/main.ts). A package holds no empty folder.
  mkdirSync(join(next, 'compiled'), { mode: 0o755 });
  writeFileSync(
    join(next, 'compiled/README'),
    'What V8 has compiled of these files, for the next start.\n',
  );
  utimesSync(join(next, 'main.js'), began, began);
  replace(next);
}

/** Whoever starts meanwhile finds the former one, or none, but never a part of one. */
function replace(next: string): void {
  const former = `${next}.former`;
  if (existsSync(TARGET)) renameSync(TARGET, former);
  renameSync(next, TARGET);
  rmSync(former, { recursive: true, force: true });
}
