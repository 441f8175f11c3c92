import { afterEach, expect, it, vi } from 'vitest';
import type { AppliedDeclaration } from '../../../src/admin/apply-declaration.ts';
import { report } from '../../../src/cli/apply.ts';

afterEach(() => vi.restoreAllMocks());

/** A declaration of more than one step of the store, and somebody who was faster. */
const [early, beyond, third] = ['role early', 'role beyond', 'team third'].map((target) => ({
  what: 'create' as const,
  target,
  differences: [],
}));
const interrupted: AppliedDeclaration = {
  applied: [early!],
  notApplied: [beyond!, third!],
  fault: { code: 'name-taken', message: 'taken meanwhile' },
};

it('says what was applied and what was not when it was stopped on the way', () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  expect(() => report(interrupted, {})).toThrow('taken meanwhile');
  const lines = said.mock.calls.map(([line]) => String(line).trim());
  expect(lines).toEqual([
    'Applied 1 of 3 changes, then it was stopped:',
    'role early: applied',
    'role beyond: not applied',
    'team third: not applied',
    expect.stringContaining('Apply the file again'),
  ]);
});

it('claims of no change that it was not made where the answer of the store may be lost', () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const fault = { code: 'unavailable', message: 'it is not known' } as const;
  expect(() => report({ ...interrupted, fault }, {})).toThrow('it is not known');
  const lines = said.mock.calls.map(([line]) => String(line).trim());
  expect(lines).toContain('role beyond: not known to be applied');
  expect(lines).not.toContain('role beyond: not applied');
});

it('says it as JSON to who asks for that', () => {
  const said = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  expect(() => report(interrupted, { json: true })).toThrow('taken meanwhile');
  expect(JSON.parse(String(said.mock.calls[0]?.[0]))).toMatchObject({
    applied: false,
    changes: [{ target: 'role early' }],
    notApplied: [{ target: 'role beyond' }, { target: 'team third' }],
  });
});
