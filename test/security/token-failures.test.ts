import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newAccountId } from '../../src/account/id.ts';
import { newToken } from '../../src/account/token.ts';
import { owner } from '../support/gateway.ts';
import { type GuardedUpstream, request, startGuarded } from './gate.ts';

/**
 * The ways in which a presented token fails. The audit log tells them apart; whoever presents one
 * learns nothing from the answer.
 */
const REASONS = [
  'token-malformed',
  'token-unknown',
  'token-revoked',
  'token-expired',
  'account-inactive',
  'address-refused',
  'token-unbound',
] as const;

/** Long enough to create the account before it has expired, on a slow machine too. */
const EXPIRES_MS = 3_000;

let guarded: GuardedUpstream;
/**
 * A token for each failure, and the account that the audit log may name: the one that was proved,
 * or the one that was merely claimed.
 */
const failing = new Map<
  string,
  { readonly token: string; readonly account: string | null; readonly claimed: string | null }
>();

beforeAll(async () => {
  guarded = await startGuarded();
  const { administration, createAccount } = guarded.gate;
  const absent = newAccountId();
  failing.set('token-unknown', { token: newToken(absent), account: null, claimed: absent });
  failing.set('token-malformed', {
    token: `${newToken(absent).slice(0, -1)}-`,
    account: null,
    claimed: null,
  });

  const rotated = await createAccount({ name: 'rotated', role: 'tester' });
  await administration.rotateToken(owner, { name: 'rotated' });
  failing.set('token-revoked', { token: rotated.token, account: null, claimed: rotated.id });

  const inactive = await createAccount({ name: 'inactive', role: 'tester' });
  await administration.deactivateAccount(owner, { name: 'inactive' });
  failing.set('account-inactive', { token: inactive.token, account: inactive.id, claimed: null });

  for (const [reason, restriction] of [
    ['address-refused', { allowedNetworks: ['192.0.2.0/24'] }],
    ['token-unbound', { boundTo: { subject: 'CN=ci' } }],
  ] as const) {
    const { account, token } = await administration.createServiceAccount(owner, {
      name: reason,
      role: 'tester',
      ...restriction,
    });
    failing.set(reason, { token, account: account.id, claimed: null });
  }

  const expiresAt = new Date(Date.now() + EXPIRES_MS).toISOString();
  const expired = await administration.createServiceAccount(owner, {
    name: 'expired',
    role: 'tester',
    description: '',
    expiresAt,
  });
  failing.set('token-expired', {
    token: expired.token,
    account: expired.account.id,
    claimed: null,
  });
  await sleep(Date.parse(expiresAt) + 100 - Date.now());
});
afterAll(() => guarded.stop());

const answerTo = (token: string, target = '/apps/one') =>
  guarded.ask(request(`GET ${target} HTTP/1.1`, [`Authorization: Bearer ${token}`]));

/** Everything but what differs between any two answers. */
function withoutIdAndDate(text: string): string {
  const id = /^X-Request-Id: (\S+)\r$/m.exec(text)![1]!;
  return text.replaceAll(id, 'ID').replace(/^Date: .*\r$/m, 'Date: NOW\r');
}

it('all seven get the same bytes but for the request id, and are told apart in the audit log', async () => {
  const texts = new Map<string, string>();
  for (const reason of REASONS) {
    const outcome = await answerTo(failing.get(reason)!.token);
    expect([outcome.status, outcome.reason, outcome.forwarded]).toEqual([401, 'token-refused', []]);
    texts.set(reason, withoutIdAndDate(outcome.text));
  }
  expect(new Set(texts.values()).size).toBe(1);
  const events = (await guarded.gate.events())
    .filter((event) => event.phase === 'decision')
    .slice(-REASONS.length);
  expect(events.map((event) => event.reason)).toEqual([...REASONS]);
  for (const event of events) {
    const expected = failing.get(event.reason!)!;
    expect((event.account as { id: string } | null)?.id ?? null).toBe(expected.account);
    expect(event.claimedAccountId ?? null).toBe(expected.claimed);
  }
});

it('does so on every path: what exists, and what does not, looks the same to who is not known', async () => {
  const answers = new Set<string>();
  for (const target of ['/apps/one', '/nothing/here', '/admin', '/'])
    for (const reason of REASONS)
      answers.add(withoutIdAndDate((await answerTo(failing.get(reason)!.token, target)).text));
  expect(answers.size).toBe(1);
});

it('asks for a token without an error code where none was presented, also for another scheme (RFC 6750 §3)', async () => {
  for (const fields of [
    [],
    ['Authorization: Basic YTpi'],
    ['Authorization: Digest x'],
    [`Proxy-Authorization: Bearer ${guarded.gate.token}`],
    ['Authorization:'],
  ]) {
    const outcome = await guarded.ask(request('GET /apps/one HTTP/1.1', fields));
    expect([outcome.status, outcome.reason, outcome.forwarded]).toEqual([401, 'token-missing', []]);
    expect(outcome.text).toMatch(/^WWW-Authenticate: Bearer realm="[^"]*"\r$/m);
  }
  expect((await answerTo(failing.get('token-unknown')!.token)).text).toMatch(
    /^WWW-Authenticate: Bearer realm="[^"]*", error="invalid_token"\r$/m,
  );
});

it('does not take a token from anywhere but Authorization', async () => {
  const { token } = guarded.gate;
  const places = [
    request(`GET /apps/one?access_token=${token} HTTP/1.1`),
    request(`GET /apps/${token} HTTP/1.1`),
    request('GET /apps/one HTTP/1.1', [`Cookie: access_token=${token}; token=${token}`]),
    request('GET /apps/one HTTP/1.1', [
      `X-Api-Key: ${token}`,
      `X-Auth-Token: ${token}`,
      `Api-Authorization: Bearer ${token}`,
    ]),
    request(
      'POST /apps/one HTTP/1.1',
      ['Content-Type: application/x-www-form-urlencoded', 'Content-Length: 79'],
      `access_token=${token}`,
    ),
    request('GET /apps/one HTTP/1.1', [`Authorization: ${token}`]),
    request('GET /apps/one HTTP/1.1', [
      `Authorization: Basic ${Buffer.from(`x:${token}`).toString('base64')}`,
    ]),
  ];
  for (const text of places) {
    const outcome = await guarded.ask(text);
    expect([outcome.status, outcome.reason, outcome.forwarded]).toEqual([401, 'token-missing', []]);
  }
});
