import { afterEach, expect, it, vi } from 'vitest';
import type { Step } from '../../../src/admin/declaration.ts';
import { runAll } from '../../../src/cli/apply.ts';

afterEach(() => vi.restoreAllMocks());

/** What a rehearsal cannot see: somebody else changes the registry in between. */
const steps = ['role early', 'role beyond', 'team third'].map(
  (target): Step => ({
    what: 'create',
    kind: 'role',
    target,
    differences: [],
    run: async () => {
      if (target === 'role beyond') throw new Error('taken meanwhile');
    },
  }),
);

it('says what was applied and what was not when a change fails on the way', async () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  await expect(runAll(steps, {})).rejects.toThrow('taken meanwhile');
  const lines = said.mock.calls.map(([line]) => String(line).trim());
  expect(lines).toEqual([
    'Applied 1 of 3 changes, then one failed:',
    'role early: applied',
    'role beyond: failed',
    'team third: not applied',
    expect.stringContaining('Apply the file again'),
  ]);
});

it('says it as JSON to who asks for that', async () => {
  const said = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  await expect(runAll(steps, { json: true })).rejects.toThrow('taken meanwhile');
  expect(JSON.parse(String(said.mock.calls[0]?.[0]))).toMatchObject({
    applied: false,
    changes: [{ target: 'role early' }],
    failed: { target: 'role beyond' },
    notApplied: [{ target: 'team third' }],
  });
});
