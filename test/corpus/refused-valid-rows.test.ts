import { expect, it } from 'vitest';
import { REFUSALS } from '../../src/refusal.ts';
import { REFUSED_VALID_ROWS, RULES } from './refused-valid-rows.ts';

it('every rule that refuses what HTTP allows has an answer of the gate, a reason to stand, and a row that shows it', () => {
  expect(new Set(Object.values(REFUSED_VALID_ROWS))).toEqual(new Set(Object.keys(RULES)));
  for (const { reason, why } of Object.values(RULES)) {
    expect(REFUSALS[reason].status).toBeGreaterThanOrEqual(400);
    expect(why).not.toBe('');
  }
});
