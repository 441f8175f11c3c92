import { expect, it } from 'vitest';
import { LONG } from '../support/longest-first.ts';
import { projectFiles, read } from './tree.ts';

/** A feeling for size, not a law: the report is for the reader, and fails nothing. */
const LINES_MAX = 300;

it('reports the files that may want to be two', () => {
  const sizes = projectFiles('.')
    .filter((path) => /^(src|test)\/.*\.ts$/.test(path))
    .map((path) => ({ path, lines: read(path).split('\n').length - 1 }));
  expect(sizes.length).toBeGreaterThan(0);
  const long = sizes.filter(({ lines }) => lines > LINES_MAX).sort((a, b) => b.lines - a.lines);
  for (const { path, lines } of long) console.log(`past ${LINES_MAX} lines: ${path} (${lines})`);
});

it('knows the files of tests that are begun first', () => {
  const files = new Set(projectFiles('test'));
  expect(LONG.filter((name) => !files.has(name))).toEqual([]);
});
