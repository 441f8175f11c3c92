import { ReplyError } from 'ioredis';
import { expect, it } from 'vitest';
import { classify } from '../../../src/store/redis-fault.ts';

const AT = 'redis.internal:6379';
const system = (code: string) => Object.assign(new Error('connect'), { code });

it.each<[unknown, string]>([
  [system('ECONNREFUSED'), `${AT}: Redis cannot be reached (ECONNREFUSED: nothing listens there)`],
  [system('EPIPE'), `${AT}: Redis cannot be reached (EPIPE)`],
  [new Error('closed'), `${AT}: Redis cannot be reached (no answer in time or connection lost)`],
  [new ReplyError('WRONGPASS no'), `${AT}: Redis answered WRONGPASS: user or password is wrong`],
])('names the server, and what it said: %s', (fault, message) => {
  expect(classify(fault, null, AT).message).toContain(message);
});

it.each<[string, RegExp]>([
  ['SELF_SIGNED_CERT_IN_CHAIN', /set tls\.caFile of the store/],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', /set tls\.caFile of the store/],
  ['ERR_TLS_CERT_ALTNAME_INVALID', /set tls\.serverName of the store/],
  ['ERR_SSL_WRONG_VERSION_NUMBER', /does not speak TLS/],
])('says what to set: %s', (code, hint) => {
  const fault = classify(system(code), null, AT);
  expect(fault.message).toMatch(hint);
  expect(fault).toMatchObject({ why: 'unreachable', code });
});

it('says it once', () => {
  const first = classify(system('ECONNREFUSED'), null, AT);
  expect(classify(new Error('not writeable'), first, AT)).toBe(first);
  expect(classify(first, null, AT).message).toBe(first.message);
});
