/**
 * `npm run prove -- promises [PART...]`: the promises that take long to show. Each file in
 * test/prove/promises is a part; without names all of them run, one after the other. What they
 * found stands in docs/RELIABILITY.md, rows of parts that did not run stay.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What `prove` of a part answers. */
export interface Finding {
  /** What was promised, in a few words. */
  readonly promise: string;
  readonly kept: boolean;
  /** What was done and found, with its figures, in one line. */
  readonly figures: string;
}

interface Part {
  prove(): Promise<Finding | readonly Finding[]>;
}

const FOLDER = join(import.meta.dirname, 'promises');
const DOCUMENT = join(import.meta.dirname, '..', '..', 'docs', 'RELIABILITY.md');
const [BEGIN, END] = ['<!-- promises: begin -->', '<!-- promises: end -->'];
const HEAD = '| part | promise | kept | found |\n| --- | --- | --- | --- |';

const parts = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -'.ts'.length))
  .sort();
const wanted = process.argv.length > 2 ? process.argv.slice(2) : parts;
const unknown = wanted.filter((name) => !parts.includes(name));
if (unknown.length > 0) {
  console.error(`there is no part ${unknown.join(', ')}; parts: ${parts.join(' ')}`);
  process.exitCode = 2;
} else {
  for (const name of wanted) await run(name);
}

async function run(name: string): Promise<void> {
  console.log(`== ${name}`);
  const part = (await import(pathToFileURL(join(FOLDER, `${name}.ts`)).href)) as Part;
  const found = [await part.prove()].flat();
  for (const { promise, kept, figures } of found)
    console.log(`${kept ? 'kept' : 'BROKEN'}: ${promise}: ${figures}`);
  if (found.length === 0 || found.some(({ kept }) => !kept)) process.exitCode = 1;
  write(name, found);
}

/** Puts the rows of one part in place of its old ones. */
function write(name: string, found: readonly Finding[]): void {
  const text = readFileSync(DOCUMENT, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`${DOCUMENT} has lost its marks ${BEGIN}`);
  const day = new Date().toISOString().slice(0, 10);
  const load = loadavg().map((value) => value.toFixed(1));
  const where = `${day}, ${cpus().length} cores, load ${load.join(', ')}`;
  const old = text
    .slice(begin, end)
    .split('\n')
    .filter((row) => row.startsWith('| ') && !HEAD.includes(row) && !row.startsWith(`| ${name} |`));
  const fresh = found.map(
    ({ promise, kept, figures }) =>
      `| ${name} | ${promise} | ${kept ? 'yes' : '**no**'} | ${figures} (${where}) |`,
  );
  const table = [HEAD, ...[...old, ...fresh].sort()].join('\n');
  writeFileSync(DOCUMENT, `${text.slice(0, begin)}${BEGIN}\n${table}\n${text.slice(end)}`);
}
