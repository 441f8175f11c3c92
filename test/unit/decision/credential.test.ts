import { describe, expect, it } from 'vitest';
import { newToken } from '../../../src/account/token.ts';
import { readCredential } from '../../../src/decision/credential.ts';

const token = newToken('abcdefghijkl');
const read = (authorization: string | null, acceptBare = false) =>
  readCredential(authorization, acceptBare).presented;

describe('the Authorization field', () => {
  it.each([
    `Bearer ${token}`,
    `bearer ${token}`,
    `BEARER ${token}`,
    `BeArEr ${token}`,
    `Bearer   ${token}`,
  ])('presents a token: %s', (field) => {
    expect(readCredential(field, false)).toEqual({
      presented: 'token',
      token,
      accountId: 'abcdefghijkl',
    });
  });

  it.each([
    null,
    '',
    'Basic YTpi',
    `Basic YTpi, Bearer ${token}`,
    `token ${token}`,
    `DPoP ${token}`,
    `Beare ${token}`,
    `XBearer ${token}`,
    `Bearer-${token}`,
    `Bearer%20${token}`,
    `Bearer+${token}`,
    `BearerX ${token}`,
    `"Bearer" ${token}`,
    token,
    ` Bearer ${token}`,
  ])('presents nothing that we read: %j', (field) => expect(read(field)).toBe('nothing'));

  it.each([
    'Bearer',
    'Bearer ',
    'Bearer null',
    `Bearer\t${token}`,
    `Bearer \t${token}`,
    `Bearer\t ${token}`,
    `Bearer\u00a0${token}`,
    `Bearer,${token}`,
    `Bearer=${token}`,
    `Bearer ${token} `,
    `Bearer ${token}=`,
    `Bearer ${token}, Basic YTpi`,
    `Bearer ${token} ${token}`,
    `Bearer x ${token}`,
    `Bearer "${token}"`,
    `Bearer ,${token}`,
    `Bearer ${token}\u0080`,
    `Bearer \ufeff${token}`,
    `Bearer ${token.toUpperCase()}`,
    `Bearer ${'a'.repeat(100_000)}`,
    `Bearer ${' '.repeat(100_000)}`,
  ])('presents something malformed: %.40j', (field) => expect(read(field)).toBe('malformed'));

  it('presents a bare token only where the route takes one', () => {
    expect(read(token, true)).toBe('token');
    expect(read(`Bearer ${token}`, true)).toBe('token');
    expect(read(`${token.slice(0, -1)}?`, true)).toBe('malformed');
    expect(read('YTpi', true)).toBe('nothing');
    expect(read(`Basic ${token}`, true)).toBe('nothing');
    expect(read(` ${token}`, true)).toBe('nothing');
  });
});
