import { beforeEach, describe, expect, it } from 'vitest';
import type { Account } from '../../../src/account/model.ts';
import { Policy } from '../../../src/account/policy.ts';
import { newToken, tokenDigest, tokenId } from '../../../src/account/token.ts';
import type { RequestHead } from '../../../src/http/request-head.ts';
import { account, team } from '../account/samples.ts';
import { decider, NOW_MS, ROLES, ROUTES, SampleRegistry, word } from './samples.ts';

let registry: SampleRegistry;
let gate: ReturnType<typeof decider>;

beforeEach(() => {
  registry = new SampleRegistry();
  registry.policy = Policy.of(ROLES, [team('sales', 'crm', 'shop')]);
  gate = decider(registry, ROUTES);
});

/** The reason, or `permitted`, for a caller with these facts. */
function reasonFor(changes: Partial<Account>, request: Partial<RequestHead> = {}): string {
  return word(gate.now({ authorization: `Bearer ${registry.withToken(changes)}`, ...request }));
}

describe('authentication', () => {
  it('lets an active service account with its live token in', () => {
    const token = registry.withToken();
    const verdict = gate.now({ authorization: `Bearer ${token}` });
    expect(verdict).toMatchObject({
      permitted: true,
      unsafe: false,
      account: { account: { name: 'billing-ci' } },
      claimedAccountId: null,
      tokenId: tokenId(tokenDigest(token)),
      application: 'crm',
      role: 'viewer',
      route: { name: 'read' },
    });
  });

  it('asks nobody about a token that is missing or malformed', () => {
    const token = registry.withToken();
    const flipped = token.slice(0, -1) + (token.endsWith('0') ? '1' : '0');
    for (const field of [null, 'Basic YTpi', token])
      expect(word(gate.now({ authorization: field }))).toBe('token-missing');
    for (const field of ['Bearer', `Bearer ${flipped}`, 'Bearer null'])
      expect(word(gate.now({ authorization: field }))).toBe('token-malformed');
    expect(registry.lookups).toEqual([]);
  });

  it('records what is claimed, and only that, when no digest matches', () => {
    registry.withToken();
    const forged = gate.now({ authorization: `Bearer ${newToken('AAAAAAAAAAAA')}` });
    const nobody = gate.now({ authorization: `Bearer ${newToken('BBBBBBBBBBBB')}` });
    expect(forged).toMatchObject({
      reason: 'token-unknown',
      account: null,
      claimedAccountId: 'AAAAAAAAAAAA',
      tokenId: null,
      role: null,
    });
    expect(nobody).toMatchObject({
      reason: 'token-unknown',
      account: null,
      claimedAccountId: 'BBBBBBBBBBBB',
      tokenId: null,
      role: null,
    });
  });

  it('tells a retired token by its id, without taking the caller for the account', () => {
    const old = newToken('AAAAAAAAAAAA');
    for (const place of [0, 7]) {
      const retired = Array.from({ length: 8 }, (_, index) =>
        index === place ? tokenDigest(old) : 'f'.repeat(64),
      );
      registry.withToken({ retired });
      const verdict = gate.now({ authorization: `Bearer ${old}` });
      expect(verdict).toMatchObject({
        reason: 'token-revoked',
        account: null,
        claimedAccountId: 'AAAAAAAAAAAA',
        tokenId: tokenId(tokenDigest(old)),
      });
    }
  });

  it('judges status and expiry only after the digest has matched', () => {
    const forged = { authorization: `Bearer ${newToken('AAAAAAAAAAAA')}` };
    const past = new Date(NOW_MS - 1).toISOString();
    for (const changes of [{ status: 'inactive' }, { expiresAt: past }, {}] as const)
      expect(reasonFor(changes, forged)).toBe('token-unknown');
    expect(reasonFor({ status: 'inactive' })).toBe('account-inactive');
    expect(reasonFor({ expiresAt: past })).toBe('token-expired');
    expect(reasonFor({ status: 'inactive', expiresAt: past })).toBe('account-inactive');
  });

  it('takes the account as expired from the very millisecond on', () => {
    expect(reasonFor({ expiresAt: new Date(NOW_MS).toISOString() })).toBe('token-expired');
    expect(reasonFor({ expiresAt: new Date(NOW_MS + 1).toISOString() })).toBe('permitted');
    expect(reasonFor({ expiresAt: 'not a date' })).toBe('token-expired');
  });

  it('never lets a person in, even if a record gives one a token', () => {
    const token = registry.withToken({ kind: 'user', role: 'all' });
    expect(gate.now({ authorization: `Bearer ${token}` })).toMatchObject({
      reason: 'token-unknown',
      account: null,
      tokenId: null,
    });
    registry.put(account({ kind: 'user', retired: [tokenDigest(token)] }));
    expect(word(gate.now({ authorization: `Bearer ${token}` }))).toBe('token-unknown');
  });

  it('lets nobody in on an account without a token', () => {
    registry.put(account({ role: 'all' }));
    expect(word(gate.now({ authorization: `Bearer ${newToken('AAAAAAAAAAAA')}` }))).toBe(
      'token-unknown',
    );
  });

  it('says 503, never 401, when the account could not be looked up', async () => {
    const authorization = `Bearer ${registry.withToken()}`;
    registry.unavailable = true;
    expect(gate.now({ authorization })).toMatchObject({
      reason: 'registry-unavailable',
      claimedAccountId: 'AAAAAAAAAAAA',
      account: null,
    });
    registry.late = true;
    expect(word(await gate.later({ authorization }))).toBe('registry-unavailable');
  });

  it('takes a bare token only on a route that says so', () => {
    const token = registry.withToken();
    expect(word(gate.now({ path: '/download/crm', authorization: token }))).toBe('permitted');
    expect(word(gate.now({ path: '/apps/crm', authorization: token }))).toBe('token-missing');
    expect(word(gate.now({ path: '/nowhere', authorization: token }))).toBe('token-missing');
    expect(word(gate.now({ path: '/download/crm', method: 'POST', authorization: token }))).toBe(
      'token-missing',
    );
  });

  it('waits only when the registry does', async () => {
    const authorization = `Bearer ${registry.withToken()}`;
    expect(word(gate.now({ authorization }))).toBe('permitted');
    registry.late = true;
    expect(word(await gate.later({ authorization }))).toBe('permitted');
  });
});
