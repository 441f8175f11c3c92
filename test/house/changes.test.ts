import { expect, it } from 'vitest';
import { projectFiles, read } from './tree.ts';

/** What needs a second administrator is held back in the first; the other one changes no record. */
const WRITERS = ['src/admin/change.ts', 'src/admin/registry-keeper.ts'];

it('commits changes of the registry in one place, where those that need approval are held back', () => {
  const writing = projectFiles('src')
    .filter((path) => path.endsWith('.ts') && !path.startsWith('src/registry/'))
    .filter((path) => /\bstore\)?\.commit\(/i.test(read(path)));
  expect(writing.sort()).toEqual(WRITERS);
});
