import { afterEach, expect, it, vi } from 'vitest';
import { AdminError } from '../../../src/admin/error.ts';
import { report } from '../../../src/cli/account-bulk.ts';

afterEach(() => vi.restoreAllMocks());

const interrupted = {
  answer: {
    items: (['changed', 'refused'] as const).map((outcome) => ({
      id: outcome,
      name: `one-${outcome}`,
      outcome,
      why: outcome === 'refused' ? 'it may do more than you' : null,
      loses: [],
    })),
  },
  fault: new AdminError('unavailable', 'the registry cannot be written'),
};
const THROWN = 'the other 298 accounts: the registry cannot be written';

it('says what was changed before it was stopped on the way', () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  expect(() => report({}, interrupted, 300)).toThrow(THROWN);
  expect(said.mock.calls.map(([line]) => String(line).trim())).toEqual([
    'Changed 1 of 300 accounts; 1 were refused.',
    'one-refused: it may do more than you',
  ]);
});

it('says it as JSON to who asks for that', () => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const said = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  expect(() => report({ json: true }, interrupted, 300)).toThrow(THROWN);
  expect(JSON.parse(String(said.mock.calls[0]?.[0]))).toMatchObject({
    applied: false,
    items: [{ outcome: 'changed' }, { outcome: 'refused' }],
  });
});
