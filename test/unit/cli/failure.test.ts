import { expect, it } from 'vitest';
import { AdminError } from '../../../src/admin/error.ts';
import { failureOf } from '../../../src/cli/failure.ts';

it('tells what a server has said without letting it drive the terminal', () => {
  const told = failureOf(new AdminError('forbidden', 'ci\u001b[2J lacks \u202e rights'));
  expect(told).toEqual({ code: 1, lines: ['ci\\u{1b}[2J lacks \\u{202e} rights'] });
});
