import { expect, it } from 'vitest';
import {
  hasUnusualBody,
  isIdempotent,
  isNeverAllowed,
  isUnsafe,
  METHODS,
  methodBits,
  methodsOf,
  ROUTABLE,
  WITHOUT_BODY,
} from '../../../src/http/method.ts';

const BODY = { kind: 'length', bytes: 1 } as const;

it('knows the nine methods, and of each what the RFC says', () => {
  expect(METHODS.toSorted()).toEqual(
    'CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT TRACE'.split(' '),
  );
  expect(METHODS.filter((method) => !isUnsafe(method))).toEqual(
    'GET HEAD OPTIONS TRACE'.split(' '),
  );
  expect(METHODS.filter(isIdempotent)).toEqual('GET HEAD PUT DELETE OPTIONS TRACE'.split(' '));
  expect(METHODS.filter(isNeverAllowed)).toEqual(['CONNECT', 'TRACE']);
});

it('has lists that say the same as the table', () => {
  expect(methodsOf(methodBits(METHODS))).toEqual(ROUTABLE);
  expect([...ROUTABLE, 'CONNECT', 'TRACE'].toSorted()).toEqual(METHODS.toSorted());
  const unusual = ROUTABLE.filter((method) => hasUnusualBody({ method, framing: BODY }));
  expect(unusual).toEqual(WITHOUT_BODY);
});

it('takes every other text for an unsafe method that nobody may repeat', () => {
  for (const method of ['get', 'PURGE', '', 'constructor', '__proto__']) {
    expect(isUnsafe(method)).toBe(true);
    expect(isIdempotent(method)).toBe(false);
    expect(isNeverAllowed(method)).toBe(false);
    expect(hasUnusualBody({ method, framing: BODY })).toBe(true);
    expect(methodBits([method])).toBe(0);
  }
});
