import { afterEach, expect, it, vi } from 'vitest';
import { AdminError } from '../../../src/admin/error.ts';
import { inParts, report } from '../../../src/cli/account-bulk.ts';

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

it('says of the parts behind one that waits that nobody has been asked', async () => {
  const waits = new AdminError('awaits-approval', 'it waits as abc', { approval: 'abc' });
  const changeAccounts = async () => Promise.reject(waits);
  const reached = { control: { administration: { changeAccounts } }, actor: null } as never;
  const accounts = Array.from({ length: 300 }, (_, n) => ({ id: `id-${n}` })) as never;
  const told = inParts(reached, accounts, 'service', { role: 'release' });
  await expect(told).rejects.toMatchObject({
    ...{ code: 'awaits-approval', approval: 'abc' },
    message: 'it waits as abc; the last 44 accounts were neither changed nor proposed',
  });
});
