import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from './tree.ts';

/**
 * The static checks are tests like the others, so that one command and one count say whether the
 * tree is sound.
 */
const LIMIT_MS = 120_000;

describe('the tree', () => {
  it('is well typed (tsc)', () => check('typescript/bin/tsc', '--pretty', 'false'), LIMIT_MS);
  it(
    'is formatted and free of lint (biome)',
    () => check('@biomejs/biome/bin/biome', 'check', '--error-on-warnings'),
    LIMIT_MS,
  );
  it(
    'holds no unused file, export or dependency (knip)',
    () => check('knip/bin/knip.js', '--no-progress'),
    LIMIT_MS,
  );
});

function check(script: string, ...words: string[]): void {
  const result = spawnSync(process.execPath, [join(ROOT, 'node_modules', script), ...words], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
  });
  expect(result.status, `${result.stdout}${result.stderr}`).toBe(0);
}
