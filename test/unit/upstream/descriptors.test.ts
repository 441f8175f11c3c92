import { expect, it } from 'vitest';
import { DescriptorBudget, isOwnExhaustion } from '../../../src/upstream/descriptors.ts';

it('gives as many as there are, tells each refusal, and takes back', () => {
  let refused = 0;
  const budget = new DescriptorBudget(
    () => 2,
    () => {
      refused += 1;
    },
  );
  expect([budget.take(), budget.take(), budget.take(), budget.take()]).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(refused).toBe(2);
  budget.give();
  expect([budget.take(), budget.take(), refused]).toEqual([true, false, 3]);
});

it('asks whoever holds some to spare one before it refuses', () => {
  const budget = new DescriptorBudget(
    () => 1,
    () => {},
  );
  expect(budget.take()).toBe(true);
  let spares = 1;
  const holder = {
    spare: () => {
      if (spares === 0) return false;
      spares -= 1;
      budget.give();
      return true;
    },
  };
  budget.join(holder);
  expect([budget.take(), budget.take(), spares]).toEqual([true, false, 0]);
  spares = 1;
  budget.leave(holder);
  expect([budget.take(), spares]).toEqual([false, 1]);
});

it('knows what is our own want from what is the fault of another', () => {
  expect(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'].every(isOwnExhaustion)).toBe(true);
  expect(['ECONNREFUSED', 'EHOSTUNREACH', 'ETIMEDOUT', 'ENOTFOUND'].some(isOwnExhaustion)).toBe(
    false,
  );
});
