import { describe, expect, it } from 'vitest';
import { newToken } from '../../../src/account/token.ts';
import { readCredential } from '../../../src/decision/credential.ts';

const token = newToken('abcdefghijkl');
const read = (authorization: string | null, acceptBareToken = false) =>
  readCredential(authorization, { acceptBareToken, acceptBasic: false }).presented;

describe('the Authorization field', () => {
  it.each([
    `Bearer ${token}`,
    `bearer ${token}`,
    `BEARER ${token}`,
    `BeArEr ${token}`,
    `Bearer   ${token}`,
  ])('presents a token: %s', (field) => {
    expect(readCredential(field, null)).toEqual({
      presented: 'token',
      token,
      accountId: 'abcdefghijkl',
      scheme: null,
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

/** Of base64: the bits that should be zero are not. */
const nextCharacter = (last: string) => String.fromCharCode(last.charCodeAt(0) + 1);

describe('Basic, where the route takes it', () => {
  const accepted = { acceptBareToken: false, acceptBasic: true };
  const readBasic = (field: string) => readCredential(field, accepted);
  const pair = (text: string) => `Basic ${Buffer.from(text, 'latin1').toString('base64')}`;

  it.each([
    pair(`:${token}`),
    pair(`any user:${token}`),
    pair(`m\u00fcller:${token}`),
    pair(`${'u'.repeat(300)}:${token}`),
    pair(`x:${token}`).replace('Basic', 'bAsIc'),
    pair(`x:${token}`).replace(' ', '   '),
  ])('presents the token that is the password: %.40j', (field) => {
    const claimed = { presented: 'token', token, accountId: 'abcdefghijkl' };
    expect(readBasic(field)).toEqual({ ...claimed, scheme: 'basic' });
    expect(readCredential(field, null)).toEqual({ presented: 'nothing' });
  });

  it.each([
    'Basic',
    'Basic ',
    'Basic x:y',
    pair(token),
    pair(`${token}:x`),
    pair(`a:b:${token}`),
    pair(`x: ${token}`),
    pair(`x:${token}\0`),
    pair(`${'u'.repeat(4000)}:${token}`),
    `${pair(`xx:${token}`)}=`,
    `${pair(`xx:${token}`)} `,
    `${pair(`x:${token}`)}, Bearer ${token}`,
    pair(`x:${token}`).replaceAll('=', ''),
    pair(`x:${token}`).replace(/(.)=$/, (_, last: string) => `${nextCharacter(last)}=`),
  ])('takes nothing that is not well-formed: %.60j', (field) => {
    expect(readBasic(field)).toMatchObject({ presented: 'malformed', scheme: 'basic' });
  });

  it.each([`Basicx ${pair('a:b').slice(6)}`, `Digest ${token}`, `Basic\t${token}`, token])(
    'leaves other schemes alone: %.30j',
    (field) => expect(readBasic(field)).toEqual({ presented: 'nothing' }),
  );

  it('says what is wrong with a token that brought a line break, or stands in the wrong place', () => {
    for (const end of ['\n', '\r\n', '\r', '\n\n'])
      expect(readBasic(pair(`x:${token}${end}`))).toMatchObject({
        detail: 'the token ends with a line break',
      });
    expect(readBasic(pair(`${token}:`))).toMatchObject({
      detail: 'the token is in the place of the user name: Basic takes it as the password',
    });
    expect(readBasic(pair('x:y'))).toMatchObject({ detail: null });
  });
});
