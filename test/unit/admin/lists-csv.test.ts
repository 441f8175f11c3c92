import { expect, it } from 'vitest';
import { mustBeWhole } from '../../../src/admin/lists-csv.ts';

it('makes no table where records cannot be read, and names them', () => {
  expect(() => mustBeWhole({ damaged: ['abcdefghijkl', 'mnopqrstuvwx'] })).toThrow(
    'these accounts cannot be read, and a table would not say so: abcdefghijkl, mnopqrstuvwx',
  );
  expect(() => mustBeWhole({ damaged: [] })).not.toThrow();
  expect(() => mustBeWhole({})).not.toThrow();
});
