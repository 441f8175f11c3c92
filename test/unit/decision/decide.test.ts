import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Account } from '../../../src/account/model.ts';
import { Policy } from '../../../src/account/policy.ts';
import { newToken, tokenDigest, tokenId } from '../../../src/account/token.ts';
import type { Route } from '../../../src/decision/route.ts';
import type { RequestHead } from '../../../src/wire/request-head.ts';
import { account, role, team } from '../account/samples.ts';
import { decider, NOW_MS, route, SampleRegistry, word } from './samples.ts';

const byPath = { from: 'path', variable: 'application' } as const;
const ROUTES: readonly Route[] = [
  route({ name: 'read', methods: ['GET'], application: byPath }),
  route({ name: 'write', methods: ['POST'], application: byPath, permission: 'deployments:write' }),
  route({ name: 'any', path: '/all/**', methods: ['GET', 'POST'], permission: 'deployments:write' }),
  route({ name: 'fixed', path: '/fixed', methods: ['GET'], application: { from: 'fixed', name: 'crm' } }),
  route({ name: 'probe', path: '/healthz', methods: ['GET', 'HEAD'], access: 'public', permission: null }),
  route({ name: 'bare', path: '/download/{application}', methods: ['GET'], application: byPath, acceptBareToken: true }),
  route({ name: 'folded', path: '/Any/{application}', methods: ['GET'], application: byPath, caseInsensitive: true }),
];

const ROLES = [role('viewer', 'deployments:read'), role('deployer', 'deployments:*'), role('all', '*')];

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

describe('admission', () => {
  it('refuses CONNECT and TRACE on every path, to anyone, and offers no other method', () => {
    for (const method of ['CONNECT', 'TRACE']) {
      expect(gate.now({ method, path: '/healthz' })).toMatchObject({ permitted: false, reason: 'method-refused', allow: [] });
    }
  });

  it('does not know other methods, nor the nine in another case', () => {
    for (const method of ['get', 'PROPFIND', 'GETT', 'CHUNK', ''])
      expect(word(gate.now({ method })), method).toBe('method-unknown');
  });

  it('refuses a body that is declared too large, and leaves a chunked one to whoever reads it', () => {
    const limited = decider(registry, ROUTES, 100);
    const body = (framing: RequestHead['framing']) => word(limited.now({ method: 'POST', framing }));
    expect(body({ kind: 'length', bytes: 101 })).toBe('body-too-large');
    expect(body({ kind: 'length', bytes: 100 })).toBe('token-missing');
    expect(body({ kind: 'chunked' })).toBe('token-missing');
    expect(word(gate.now({ method: 'POST', framing: { kind: 'length', bytes: 2 ** 50 } }))).toBe('token-missing');
  });

  it('takes a changed limit at once', () => {
    gate.setLimits({ bodyBytes: 1 });
    expect(word(gate.now({ method: 'POST', framing: { kind: 'length', bytes: 2 } }))).toBe('body-too-large');
  });
});

describe('the lease', () => {
  it('answers 503 to all without it: public routes, callers without token, and known accounts', () => {
    const authorization = `Bearer ${registry.withToken({ role: 'all' })}`;
    registry.current = false;
    for (const request of [
      { path: '/healthz' },
      {},
      { authorization },
      { authorization: 'Bearer nonsense' },
      { path: '/nowhere' },
    ]) {
      expect(word(gate.now(request))).toBe('registry-unavailable');
    }
    expect(registry.lookups).toEqual([]);
  });

  it('that ran out during a look-up makes its answer worthless', async () => {
    const authorization = `Bearer ${registry.withToken({ role: 'all' })}`;
    registry.late = true;
    const verdict = gate.later({ authorization });
    registry.current = false;
    expect(await verdict).toMatchObject({ permitted: false, reason: 'registry-unavailable', account: null });
  });
});

describe('a public route', () => {
  it('lets anyone in and reads no token', () => {
    const authorization = `Bearer ${registry.withToken()}`;
    for (const field of [null, authorization, 'Bearer nonsense', 'Basic YTpi']) {
      const verdict = gate.now({ path: '/healthz', authorization: field });
      expect(verdict).toMatchObject({ permitted: true, account: null, tokenId: null, role: null, unsafe: false });
    }
    expect(registry.lookups).toEqual([]);
  });

  it('is public for its own methods only', () => {
    expect(word(gate.now({ path: '/healthz', method: 'HEAD' }))).toBe('permitted');
    expect(word(gate.now({ path: '/healthz', method: 'POST' }))).toBe('token-missing');
  });
});

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
    for (const field of [null, 'Basic YTpi', token]) expect(word(gate.now({ authorization: field }))).toBe('token-missing');
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
      const retired = Array.from({ length: 8 }, (_, index) => (index === place ? tokenDigest(old) : 'f'.repeat(64)));
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
    expect(word(gate.now({ authorization: `Bearer ${newToken('AAAAAAAAAAAA')}` }))).toBe('token-unknown');
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
    expect(word(gate.now({ path: '/download/crm', method: 'POST', authorization: token }))).toBe('token-missing');
  });

  it('waits only when the registry does', async () => {
    const authorization = `Bearer ${registry.withToken()}`;
    expect(word(gate.now({ authorization }))).toBe('permitted');
    registry.late = true;
    expect(word(await gate.later({ authorization }))).toBe('permitted');
  });
});

describe('routes and methods', () => {
  it('that do not exist are told to callers that are known, and to nobody else', () => {
    const known = `Bearer ${registry.withToken({ role: 'none' })}`;
    for (const [request, reason] of [
      [{ path: '/nowhere' }, 'route-unknown'],
      [{ path: '/fixed', method: 'PUT' }, 'method-refused'],
    ] as const) {
      expect(word(gate.now(request))).toBe('token-missing');
      expect(word(gate.now({ ...request, authorization: 'Bearer x' }))).toBe('token-malformed');
      expect(word(gate.now({ ...request, authorization: `Bearer ${newToken('AAAAAAAAAAAA')}` }))).toBe('token-unknown');
      expect(gate.now({ ...request, authorization: known })).toMatchObject({
        reason,
        route: null,
        account: { account: { name: 'billing-ci' } },
      });
    }
    expect(gate.now({ path: '/apps/crm', method: 'PUT', authorization: known })).toMatchObject({ allow: ['GET', 'POST'] });
  });

  it('are replaced as a whole', () => {
    const authorization = `Bearer ${registry.withToken()}`;
    gate.setRoutes([route({ path: '/new' })]);
    expect(word(gate.now({ path: '/new', authorization }))).toBe('permitted');
    expect(word(gate.now({ path: '/fixed', authorization }))).toBe('route-unknown');
  });

  it('stay as they are when the new ones must not exist', () => {
    const authorization = `Bearer ${registry.withToken()}`;
    expect(() => gate.setRoutes([route({ permission: 'sallyport:registry:read' })])).toThrow(TypeError);
    expect(() => gate.setRoutes([route({ path: '/x' }), route({ path: '/x' })])).toThrow(TypeError);
    expect(word(gate.now({ path: '/fixed', authorization }))).toBe('permitted');
  });

  it('that are empty let nobody in', () => {
    const empty = decider(registry, []);
    const authorization = `Bearer ${registry.withToken({ role: 'all' })}`;
    expect(word(empty.now({ authorization }))).toBe('route-unknown');
    expect(word(empty.now({}))).toBe('token-missing');
  });
});

describe('authorisation', () => {
  it('denies by default', () => {
    for (const changes of [{ role: 'none' }, { role: 'ghost' }, { role: '' }, { role: '__proto__' }]) {
      for (const path of ['/apps/crm', '/fixed', '/all']) expect(reasonFor(changes, { path })).toBe('permission-denied');
    }
  });

  it('goes by the grant, else the owning team, else the default role, and says which role it was', () => {
    const grants = [{ application: 'crm', role: 'viewer' }];
    const teams = [{ team: 'sales', role: 'deployer' }];
    const post = (path: string, changes: Partial<Account>) =>
      gate.now({ path, method: 'POST', authorization: `Bearer ${registry.withToken(changes)}` });
    expect(post('/apps/crm', { role: 'none', teams })).toMatchObject({ permitted: true, role: 'deployer', unsafe: true });
    expect(post('/apps/crm', { role: 'all', teams, grants })).toMatchObject({
      reason: 'permission-denied',
      role: 'viewer',
      application: 'crm',
    });
    expect(post('/apps/shop', { role: 'none', teams, grants })).toMatchObject({
      permitted: true,
      role: 'deployer',
      application: 'shop',
    });
    expect(post('/apps/other', { role: 'none', teams, grants })).toMatchObject({ reason: 'permission-denied', role: 'none' });
    expect(post('/apps/other', { role: 'all', teams, grants })).toMatchObject({ permitted: true, role: 'all' });
  });

  it('judges a fixed application like one in the path', () => {
    expect(reasonFor({ role: 'none', grants: [{ application: 'crm', role: 'viewer' }] }, { path: '/fixed' })).toBe('permitted');
    expect(reasonFor({ role: 'all', grants: [{ application: 'crm', role: 'none' }] }, { path: '/fixed' })).toBe(
      'permission-denied',
    );
  });

  it('denies an application that is no possible name, whatever the role', () => {
    for (const name of ['%C3%A9', '-x', '.hidden', 'a:b', 'a;b', 'x'.repeat(65), '__proto__']) {
      expect(reasonFor({ role: 'all' }, { path: `/apps/${name}` }), name).toBe('permission-denied');
    }
  });

  it('on any application: the default role decides, and an unsafe call needs every per-application role as well', () => {
    const any = (method: string, changes: Partial<Account>) => reasonFor(changes, { path: '/all/x', method });
    const lowered: Partial<Account> = { role: 'deployer', grants: [{ application: 'crm', role: 'viewer' }] };
    const loweredInTeam: Partial<Account> = { role: 'deployer', teams: [{ team: 'idle', role: 'none' }] };
    const raised: Partial<Account> = { role: 'viewer', grants: [{ application: 'crm', role: 'deployer' }] };
    const level: Partial<Account> = {
      role: 'deployer',
      grants: [{ application: 'crm', role: 'all' }],
      teams: [{ team: 'sales', role: 'deployer' }],
    };
    expect([lowered, loweredInTeam, raised, level].map((changes) => any('GET', changes))).toEqual([
      'permitted',
      'permitted',
      'permission-denied',
      'permitted',
    ]);
    expect([lowered, loweredInTeam, raised, level].map((changes) => any('POST', changes))).toEqual([
      'permission-denied',
      'permission-denied',
      'permission-denied',
      'permitted',
    ]);
  });

  it('follows a role that changes', () => {
    const authorization = `Bearer ${registry.withToken()}`;
    registry.policy.putRole(role('viewer', 'deployments:write'));
    expect(word(gate.now({ authorization }))).toBe('permission-denied');
    expect(word(gate.now({ authorization, method: 'POST' }))).toBe('permitted');
  });
});

describe('a case-insensitive route', () => {
  const folded = (path: string, changes: Partial<Account>) =>
    gate.now({ path, authorization: `Bearer ${registry.withToken(changes)}` });

  it('finds the grant in whatever case the client writes the application', () => {
    const lowered = { role: 'all', grants: [{ application: 'Payroll', role: 'none' }] };
    for (const spelling of ['Payroll', 'payroll', 'PAYROLL', 'pAyRoLl']) {
      expect(folded(`/any/${spelling}`, lowered)).toMatchObject({
        reason: 'permission-denied',
        role: 'none',
        application: 'Payroll',
      });
    }
  });

  it('finds the owning team likewise', () => {
    const lowered = { role: 'all', teams: [{ team: 'sales', role: 'none' }] };
    for (const spelling of ['crm', 'CRM'])
      expect(folded(`/ANY/${spelling}`, lowered)).toMatchObject({ reason: 'permission-denied', application: 'crm' });
    const raised = { role: 'none', teams: [{ team: 'sales', role: 'viewer' }] };
    expect(folded('/any/Crm', raised)).toMatchObject({ permitted: true, role: 'viewer', application: 'crm' });
  });

  it('lets the grant replace the team over different spellings of the path', () => {
    const changes = { role: 'none', teams: [{ team: 'sales', role: 'all' }], grants: [{ application: 'crm', role: 'none' }] };
    expect(folded('/any/CRM', changes)).toMatchObject({ reason: 'permission-denied', role: 'none' });
  });

  it('denies where several applications differ by case alone, even to the exact spelling', () => {
    registry.policy.putTeam(team('other', 'CRM'));
    for (const spelling of ['crm', 'CRM', 'Crm']) {
      expect(folded(`/any/${spelling}`, { role: 'all' })).toMatchObject({
        reason: 'permission-denied',
        application: null,
        role: null,
      });
    }
    expect(word(folded('/apps/crm', { role: 'all' }))).toBe('permitted');
  });

  it('denies where grant and team know different spellings', () => {
    const changes = { role: 'all', grants: [{ application: 'SHOP', role: 'all' }] };
    expect(word(folded('/any/shop', changes))).toBe('permission-denied');
  });

  it('keeps the spelling of an application that nobody knows', () => {
    expect(folded('/any/Unheard', { role: 'viewer' })).toMatchObject({ permitted: true, application: 'Unheard', role: 'viewer' });
  });

  it('does not loosen the routes that tell cases apart', () => {
    const lowered = { role: 'all', grants: [{ application: 'Payroll', role: 'none' }] };
    expect(word(folded('/apps/Payroll', lowered))).toBe('permission-denied');
    expect(word(folded('/apps/payroll', lowered))).toBe('permitted');
  });
});

describe('the order of refusals', () => {
  /** Each fault of a request, in the order in which the contract ranks what it leads to. */
  const faults = {
    method: fc.boolean(),
    body: fc.boolean(),
    lease: fc.boolean(),
    token: fc.constantFrom('live', 'missing', 'malformed', 'forged', 'retired'),
    unavailable: fc.boolean(),
    status: fc.constantFrom('active', 'inactive'),
    expired: fc.boolean(),
    kind: fc.constantFrom('service', 'user'),
    route: fc.constantFrom('known', 'unknown', 'method'),
    allowed: fc.boolean(),
    late: fc.boolean(),
  } as const;

  it('is the same for every combination of faults', async () => {
    await fc.assert(
      fc.asyncProperty(fc.record(faults), async (sample) => {
        const view = new SampleRegistry();
        view.policy = Policy.of(ROLES, []);
        const old = newToken('AAAAAAAAAAAA');
        const live = view.withToken({
          kind: sample.kind as Account['kind'],
          status: sample.status as Account['status'],
          role: sample.allowed ? 'viewer' : 'none',
          expiresAt: sample.expired ? new Date(NOW_MS - 1).toISOString() : null,
          retired: [tokenDigest(old)],
        });
        Object.assign(view, { current: sample.lease, unavailable: sample.unavailable, late: sample.late });
        const fields = {
          live: `Bearer ${live}`,
          missing: null,
          malformed: 'Bearer x',
          forged: `Bearer ${newToken('AAAAAAAAAAAA')}`,
          retired: `Bearer ${old}`,
        };
        const verdict = await decider(view, ROUTES, 10).later({
          method: sample.method ? (sample.route === 'method' ? 'DELETE' : 'GET') : 'BREW',
          path: sample.route === 'unknown' ? '/nowhere' : '/apps/crm',
          framing: sample.body ? { kind: 'none', declared: false } : { kind: 'length', bytes: 11 },
          authorization: fields[sample.token as keyof typeof fields],
        });
        expect(word(verdict)).toBe(expectedReason(sample as Sample));
        expect(verdict.account !== null && verdict.claimedAccountId !== null).toBe(false);
        if (verdict.permitted) expect(verdict.account).not.toBe(null);
      }),
      { numRuns: 1000 },
    );
  });
});

interface Sample {
  readonly method: boolean;
  readonly body: boolean;
  readonly lease: boolean;
  readonly token: 'live' | 'missing' | 'malformed' | 'forged' | 'retired';
  readonly unavailable: boolean;
  readonly status: 'active' | 'inactive';
  readonly expired: boolean;
  readonly kind: 'service' | 'user';
  readonly route: 'known' | 'unknown' | 'method';
  readonly allowed: boolean;
}

function expectedReason(sample: Sample): string {
  const ladder: readonly (readonly [boolean, string])[] = [
    [!sample.method, 'method-unknown'],
    [!sample.body, 'body-too-large'],
    [!sample.lease, 'registry-unavailable'],
    [sample.token === 'missing', 'token-missing'],
    [sample.token === 'malformed', 'token-malformed'],
    [sample.unavailable, 'registry-unavailable'],
    [sample.kind === 'user' || sample.token === 'forged', 'token-unknown'],
    [sample.token === 'retired', 'token-revoked'],
    [sample.status === 'inactive', 'account-inactive'],
    [sample.expired, 'token-expired'],
    [sample.route === 'unknown', 'route-unknown'],
    [sample.route === 'method', 'method-refused'],
    [!sample.allowed, 'permission-denied'],
  ];
  return ladder.find(([applies]) => applies)?.[1] ?? 'permitted';
}
