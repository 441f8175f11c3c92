import { expect, it } from 'vitest';
import { columnsOf } from '../../../src/cli/matrix-columns.ts';

it('a cell of an account that was not there when its part was asked for is no refusal', () => {
  const role = { role: 'reader', rule: 'default', team: null } as const;
  const cell = (application: string, allowed: boolean) => ({ application, allowed, ...role });
  const rows = [
    { account: 'ci', standing: null, cells: [cell('CRM', true), cell('HR', false)] },
    { account: 'made-meanwhile', standing: null, cells: [cell('HR', true)] },
    { account: 'deleted-meanwhile', standing: null, cells: [cell('CRM', false)] },
  ] as const;
  expect(columnsOf(rows, ['CRM', 'HR'])).toEqual([
    { heading: 'CRM', cells: ['reader', '?', '-'] },
    { heading: 'HR', cells: ['-', 'reader', '?'] },
  ]);
});
