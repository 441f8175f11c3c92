import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Account } from '../../../src/account/model.ts';
import { compilePrincipal } from '../../../src/account/principal.ts';
import { Assertions, type AssertionWish, type Caller } from '../../../src/assertion/assertions.ts';
import { newKey, type SigningKey } from '../../../src/assertion/key.ts';
import { account } from '../account/samples.ts';
import { ManualClock } from '../registry/held-source.ts';

const NOW_MS = 1_800_000_000_400;
let clock: ManualClock;
let keys: { signer: SigningKey | null };

beforeEach(() => {
  clock = new ManualClock();
  clock.wallAheadMs = NOW_MS - clock.nowMs;
  keys = { signer: newKey(0) };
});

function assertionsFor(wish: Partial<AssertionWish> = {}, ...names: string[]): Assertions {
  const whole = { audience: 'deployments', lifetimeMs: 60_000, bind: null, ...wish };
  const wishes = new Map(['up', ...names].map((name) => [name, { ...whole, audience: name }]));
  return new Assertions({ keys, issuer: 'gate', clock, wishes, generation: 8 });
}

function callerOf(changes: Partial<Account> = {}, facts: Partial<Caller> = {}): Caller {
  const principal = compilePrincipal(account(changes));
  return { account: principal, role: 'viewer', application: null, demand: null, ...facts };
}

async function claimsOf(text: string, audience = 'up') {
  const set = createLocalJWKSet({ keys: [keys.signer!.published] });
  const currentDate = new Date(clock.wallMs());
  const options = { algorithms: ['ES256'], issuer: 'gate', audience, currentDate };
  return (await jwtVerify(text, set, options)).payload;
}

describe('an assertion', () => {
  it('says what the headers say, and somebody else can verify it', async () => {
    const teams = [
      { team: 'sales', role: 'x' },
      { team: 'ops', role: 'y' },
    ];
    const caller = callerOf({ teams }, { application: 'CRM' });
    const { id, text } = assertionsFor().of('up', caller)!;
    const { account: record } = caller.account;
    expect(await claimsOf(text)).toEqual({
      iss: 'gate',
      aud: 'up',
      sub: record.id,
      name: record.name,
      role: 'viewer',
      teams: ['sales', 'ops'],
      application: 'CRM',
      iat: 1_800_000_000,
      nbf: 1_800_000_000,
      exp: 1_800_000_060,
      jti: id,
    });
    const { kid } = keys.signer!;
    expect(decodeProtectedHeader(text)).toEqual({ alg: 'ES256', typ: 'JWT', kid });
  });

  it('names several applications, and no role where they have not the same', async () => {
    const demand = { applications: ['CRM', 'Portal'] };
    const { text } = assertionsFor().of('up', callerOf({}, { role: null, demand }))!;
    const claims = await claimsOf(text);
    expect([claims.role, claims.applications, 'application' in claims]).toEqual([
      null,
      ['CRM', 'Portal'],
      false,
    ]);
  });

  it('ends with the account at the latest', async () => {
    const expiresAt = new Date(NOW_MS + 10_000).toISOString();
    const assertions = assertionsFor();
    const first = assertions.of('up', callerOf({ expiresAt }))!;
    expect((await claimsOf(first.text)).exp).toBe(1_800_000_010);
    expect(first.renewMs).toBe(NOW_MS + 5_000);
  });

  it('is bound to its request where the upstream wants it, and then to no other', async () => {
    const assertions = assertionsFor({ bind: { scheme: 'https' } });
    const caller = callerOf();
    const request = { htm: 'POST', htu: 'https://api.test/a' };
    const one = assertions.bound('up', caller, request)!;
    const other = assertions.bound('up', caller, { ...request, htm: 'GET' })!;
    expect(await claimsOf(one.text)).toMatchObject(request);
    expect(await claimsOf(other.text)).toMatchObject({ htm: 'GET' });
    expect(one.id).not.toBe(other.id);
  });

  it('is none without a key', () => {
    keys.signer = null;
    const assertions = assertionsFor();
    expect(assertions.of('up', callerOf())).toBeNull();
    expect(assertions.bound('up', callerOf(), { htm: 'GET', htu: 'x' })).toBeNull();
  });
});

describe('an assertion is given out again', () => {
  it('for half its life, and not after', () => {
    const assertions = assertionsFor();
    const caller = callerOf();
    const first = assertions.of('up', caller);
    clock.nowMs += 29_999;
    expect(assertions.of('up', caller)).toBe(first);
    expect(assertions.isFresh(first!)).toBe(true);
    clock.nowMs += 1;
    expect(assertions.isFresh(first!)).toBe(false);
    const second = assertions.of('up', caller)!;
    expect(second.id).not.toBe(first!.id);
    expect(second.text).not.toBe(first!.text);
  });

  it('not after the clock was set back: nobody knows how old it is', () => {
    const assertions = assertionsFor();
    const caller = callerOf();
    const first = assertions.of('up', caller);
    clock.wallAheadMs -= 1;
    expect(assertions.of('up', caller)).not.toBe(first);
  });

  it.each<[string, (caller: Caller) => [string, Caller]]>([
    [
      'after a change of the account',
      ({ account: { account: record } }) => [
        'up',
        callerOf({ ...record, version: record.version + 1 }),
      ],
    ],
    ['to another account', () => ['up', callerOf({ id: 'AAAAAAAAAAAA' })]],
    ['in another role', (caller) => ['up', { ...caller, role: 'admin' }]],
    ['on another application', (caller) => ['up', { ...caller, application: 'CRM' }]],
    [
      'on other applications',
      (caller) => ['up', { ...caller, demand: { applications: ['A', 'B'] } }],
    ],
    ['to another upstream', (caller) => ['other', caller]],
  ])('not %s', (_what, change) => {
    const assertions = assertionsFor({}, 'other');
    const caller = callerOf();
    const first = assertions.of('up', caller)!;
    const [upstream, changed] = change(caller);
    const second = assertions.of(upstream, changed)!;
    expect(second.text).not.toBe(first.text);
    expect(second.id).not.toBe(first.id);
    expect(assertions.of(upstream, changed)).toBe(second);
  });

  it('to as many callers as there is room for, and those who call stay', () => {
    const assertions = assertionsFor();
    const caller = callerOf();
    const first = assertions.of('up', caller);
    for (let n = 0; n < 30; n += 1) {
      if (n % 5 === 0) expect(assertions.of('up', caller)).toBe(first);
      assertions.of('up', { ...caller, application: `a${n}` });
    }
    const gone = assertions.of('up', { ...caller, application: 'a0' })!;
    for (let n = 0; n < 16; n += 1) assertions.of('up', { ...caller, application: `b${n}` });
    expect(assertions.of('up', { ...caller, application: 'a0' })).not.toBe(gone);
  });
});
