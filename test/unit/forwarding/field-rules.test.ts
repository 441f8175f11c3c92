import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { Secret } from '../../../src/config/secret.ts';
import type { HeaderChange } from '../../../src/config/sections/headers.ts';
import { fieldRules, rulesFor, upstreamFieldRules } from '../../../src/forwarding/field-rules.ts';
import { valuesOf } from '../../support/http-bytes.ts';
import { forwardedMessage } from './samples.ts';

const change = (
  set: Readonly<Record<string, string>>,
  remove: readonly string[] = [],
): HeaderChange => ({
  set: Object.entries(set).map(([name, value]) => ({ name, value: new Secret(value) })),
  remove,
});
const GET = ['GET /a HTTP/1.1', 'Host: h', 'X-Key: client', 'x-KEY: again', 'Accept: a/b'];

it('sets fields in place of the client’s, and takes others off', () => {
  const fields = fieldRules(change({ 'X-Key': 'ours' }, ['Accept']), null);
  const message = forwardedMessage(GET, { outgoing: { rules: fields } });
  expect(valuesOf(message, 'x-key')).toEqual(['ours']);
  expect(valuesOf(message, 'accept')).toEqual([]);
});

it('sends one Authorization, its own, also where the client’s would be forwarded', () => {
  const fields = fieldRules(change({ Authorization: 'Bearer ours' }), null);
  for (const forwardAuthorization of [false, true])
    expect(
      valuesOf(
        forwardedMessage([...GET, 'Authorization: Bearer theirs'], {
          route: { forwardAuthorization },
          outgoing: { rules: fields },
        }),
        'authorization',
      ),
    ).toEqual(['Bearer ours']);
});

it('lets no client name it away', () => {
  const fields = fieldRules(change({ 'X-Key': 'ours' }), null);
  const message = forwardedMessage([...GET, 'Connection: X-Key'], { outgoing: { rules: fields } });
  expect(valuesOf(message, 'x-key')).toEqual(['ours']);
});

it('takes the word of the route before that of the upstream', () => {
  const rules = upstreamFieldRules(change({ 'X-Key': 'upstream', 'X-B': 'b' }, ['Accept']), [
    { name: 'own', headers: change({ 'x-key': 'route' }, ['X-B']) },
    { name: 'none', headers: null },
  ]);
  const sent = (route: string) =>
    forwardedMessage(GET, { outgoing: { rules: rulesFor(rules, route) } });
  expect(valuesOf(sent('own'), 'x-key')).toEqual(['route']);
  expect(valuesOf(sent('own'), 'x-b')).toEqual([]);
  expect(valuesOf(sent('own'), 'accept')).toEqual([]);
  expect(valuesOf(sent('none'), 'x-key')).toEqual(['upstream']);
});

it.each([
  'Host',
  'Content-Length',
  'transfer-encoding',
  'Connection',
  'TE',
  'Upgrade',
  'Via',
  'X-Account-Id',
  'X--Account-Id',
  'X-Forwarded-For',
  'Forwarded',
  'X-Request-Id',
  'traceparent',
  'X-Remote-User',
  'Proxy-Authorization',
])('does not decide about %s', (name) => {
  expect(() => fieldRules(change({ [name]: 'x' }), null)).toThrow(TypeError);
  expect(() => fieldRules(null, change({}, [name]))).toThrow(TypeError);
});

it('says nothing where nothing is said, and shows nobody what it holds', () => {
  expect(upstreamFieldRules(null, [{ name: 'a', headers: null }])).toBeNull();
  expect(fieldRules(change({}), null)).toBeNull();
  const rules = upstreamFieldRules(change({ 'X-Key': 'a-secret' }), []);
  expect(inspect(rules, { depth: 9 }) + JSON.stringify(rules)).not.toContain('a-secret');
});
