import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../../src/config/secret.ts';
import { readKeys, signatureOf } from '../../../src/webhooks/signature.ts';

const keysIn = (...secrets: string[]) => {
  const read = readKeys(new Secret(secrets.join('\n')));
  if ('fault' in read) throw new Error(read.fault);
  return read.keys;
};
const whsec = (bytes: number) => `whsec_${randomBytes(bytes).toString('base64')}`;

/** Another program's word on a signature. */
const VERIFIER = `
import base64, hashlib, hmac, json, sys
told = json.load(sys.stdin)
key = base64.b64decode(told["secret"].removeprefix("whsec_"))
text = f'{told["id"]}.{told["timestamp"]}.{told["body"]}'.encode()
wanted = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
given = [one.removeprefix("v1,") for one in told["signature"].split(" ")]
print(any(hmac.compare_digest(wanted, one) for one in given))
`;

function verified(about: object): string {
  const { stdout } = spawnSync('python3', ['-c', VERIFIER], {
    input: JSON.stringify(about),
    encoding: 'utf8',
  });
  return stdout.trim();
}

describe('a signature', () => {
  it('is that of the specification’s example', () => {
    const keys = keysIn('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
    expect(
      signatureOf(keys, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330, '{"test": 2432232314}'),
    ).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  });

  it('is verified by another program, by the old secret and the new one', () => {
    const [old, next] = [whsec(24), whsec(64)];
    const [id, timestamp, body] = ['id-1', 1_900_000_000, '{"data":{"name":"Ä\\u2028"}}'];
    const signature = signatureOf(keysIn(old, next), id, timestamp, body);
    const about = { id, timestamp, body, signature };
    expect(verified({ ...about, secret: old })).toBe('True');
    expect(verified({ ...about, secret: next })).toBe('True');
    expect(verified({ ...about, secret: whsec(32) })).toBe('False');
    expect(verified({ ...about, secret: old, body: `${body} ` })).toBe('False');
    expect(verified({ ...about, secret: old, timestamp: timestamp + 1 })).toBe('False');
  });
});

describe('a secret', () => {
  it.each([
    ['plain text', 'a rather long secret, which is not encoded'],
    ['without its beginning', whsec(32).slice(6)],
    ['too short', whsec(23)],
    ['too long', whsec(65)],
    ['not base64', `${whsec(24)}!`],
    ['three of them', [whsec(24), whsec(24), whsec(24)].join('\n')],
    ['one that is none beside one', `${whsec(24)}\nwhsec_`],
    ['empty', ''],
  ])('that is %s is refused', (_what, secret) => {
    expect(readKeys(new Secret(secret))).toHaveProperty('fault');
  });
});
