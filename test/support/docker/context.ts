import assert from 'node:assert/strict';
import { cpSync, globSync, readFileSync } from 'node:fs';
import { basename, join, matchesGlob } from 'node:path';

/** Lines of .dockerignore that are understood here: comments, all, what is sent, what is left. */
const UNDERSTOOD = /^(#.*|\*|!.+|\*\*\/.+|)$/;

/** Copies what goes to the builder of images, as .dockerignore says. */
export function copyContext(root: string, folder: string): void {
  const lines = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
  assert.deepEqual(
    lines.filter((line) => !UNDERSTOOD.test(line)),
    [],
  );
  const left = lines.filter((line) => line.startsWith('**/')).map((line) => line.slice(3));
  const filter = (source: string) => !left.some((one) => matchesGlob(basename(source), one));
  for (const line of lines.filter((one) => one.startsWith('!')))
    for (const name of globSync(line.slice(1), { cwd: root }))
      cpSync(join(root, name), join(folder, name), { recursive: true, filter });
}
