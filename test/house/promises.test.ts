import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT, read } from './tree.ts';

const HEADING = '## Each promise: where it is kept, and which test would fail';

/** The rows of SECURITY.md's index: promise, files, tests. */
function rows(): readonly (readonly string[])[] {
  const text = read('SECURITY.md');
  const section = text.slice(text.indexOf(HEADING)).split('\n## ')[0]!;
  return section
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2)
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')));
}

it('names for every promise files that are there, and tests that bear the names given', () => {
  expect(rows().length).toBeGreaterThan(30);
  const wrong = rows().flatMap(([promise = '', kept = '', tests = '']) => {
    const places = [...`${kept} ${tests}`.matchAll(/`((?:src|test|config)\/[^`]+)`/g)];
    const gone = places.map(([, path]) => path!).filter((path) => !existsSync(join(ROOT, path)));
    const titles = [...tests.matchAll(/`(test\/[^`]+)` "([^"]+)"/g)];
    const untold = titles.filter(([, path, title]) => !squeezed(read(path!)).includes(title!));
    const faults = [...gone, ...untold.map(([, path, title]) => `${path}: ${title}`)];
    return places.length < 2 ? [`${promise}: names no file and test`] : faults;
  });
  expect(wrong).toEqual([]);
});

/** Titles may be broken over lines. */
function squeezed(text: string): string {
  return text.replace(/\s+/g, ' ');
}
