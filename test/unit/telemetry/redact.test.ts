import { expect, it } from 'vitest';
import { newToken } from '../../../src/account/token.ts';
import { bounded } from '../../../src/audit/event/text.ts';
import { withoutTokens } from '../../../src/telemetry/redact.ts';

const ID = 'Ab3dEf6hIj9k';
const token = newToken(ID);
const removed = `slp_${ID}_(removed)`;
const secret = token.slice(17);

const escaped = (character: string) => `%${character.charCodeAt(0).toString(16)}`;
const escapedAt = (...places: readonly number[]) =>
  [...token].map((one, index) => (places.includes(index) ? escaped(one) : one)).join('');
const all = [...token].map(escaped).join('');

it.each([
  ['its first letter escaped', escapedAt(0)],
  ['its underscores escaped', escapedAt(3, 16)],
  ['a letter of its id escaped', escapedAt(8)],
  ['a letter of its secret escaped', escapedAt(20, 30, 40)],
  ['its last letter escaped', escapedAt(token.length - 1)],
  ['all of it escaped', all],
  ['all of it escaped twice', all.replaceAll('%', '%25')],
  ['an escape escaped three times', `%252573${token.slice(1)}`],
  ['a digit of an escape escaped', `%7%33${token.slice(1)}`],
  ['capital escapes', all.toUpperCase()],
])('masks a token with %s, and leaves what stands around it', (_how, written) => {
  for (const [before, after] of [
    ['', ''],
    ['/api/v1/service-accounts/', '/activity'],
    ['%2Fa%20', '%20b%2'],
    [`${token}/`, `/${written}`],
  ] as const) {
    const masked = withoutTokens(`${before}${written}${after}`);
    const around = (text: string) => text.replace(token, removed).replace(written, removed);
    expect(masked).toBe(`${around(before)}${removed}${around(after)}`);
  }
});

it('leaves no more of an escaped token than of any other where a text is cut', () => {
  for (const written of [token, all, all.replaceAll('%', '%25')])
    for (let place = 0; place < 60; place += 1) {
      const cut = bounded(`${'x'.repeat(place)}${written}`, 60);
      expect(decodeURIComponent(decodeURIComponent(cut.replace(/%[^%]{0,3}$/, '')))).not.toContain(
        secret.slice(0, 8),
      );
    }
});

it.each(['/caf%C3%A9/slp', '100 %', '%', '%2', '/a%2Fb', 'slp_%41', `%73lp_${ID}_short`])(
  'leaves what is no token as it is written: %s',
  (text) => expect(withoutTokens(text)).toBe(text),
);
