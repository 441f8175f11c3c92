import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Account } from '../../../src/account/model.ts';
import { Policy } from '../../../src/account/policy.ts';
import { newToken, tokenDigest } from '../../../src/account/token.ts';
import type { RequestHead } from '../../../src/http/request-head.ts';
import { team } from '../account/samples.ts';
import { decider, NOW_MS, ROLES, ROUTES, route, SampleRegistry, word } from './samples.ts';

let registry: SampleRegistry;
let gate: ReturnType<typeof decider>;

beforeEach(() => {
  registry = new SampleRegistry();
  registry.policy = Policy.of(ROLES, [team('sales', 'crm', 'shop')]);
  gate = decider(registry, ROUTES);
});

describe('admission', () => {
  it('refuses CONNECT and TRACE on every path, to anyone, and offers no other method', () => {
    for (const method of ['CONNECT', 'TRACE']) {
      expect(gate.now({ method, path: '/healthz' })).toMatchObject({
        permitted: false,
        reason: 'method-refused',
        allow: [],
      });
    }
  });

  it('does not know other methods, nor the nine in another case', () => {
    for (const method of ['get', 'PROPFIND', 'GETT', 'CHUNK', ''])
      expect(word(gate.now({ method })), method).toBe('method-unknown');
  });

  it('refuses a body that is declared too large, and leaves a chunked one to whoever reads it', () => {
    const limited = decider(registry, ROUTES, 100);
    const body = (framing: RequestHead['framing']) =>
      word(limited.now({ method: 'POST', framing }));
    expect(body({ kind: 'length', bytes: 101 })).toBe('body-too-large');
    expect(body({ kind: 'length', bytes: 100 })).toBe('token-missing');
    expect(body({ kind: 'chunked' })).toBe('token-missing');
    expect(word(gate.now({ method: 'POST', framing: { kind: 'length', bytes: 2 ** 50 } }))).toBe(
      'token-missing',
    );
  });

  it('takes a changed limit at once', () => {
    gate.setLimits({ bodyBytes: 1 });
    expect(word(gate.now({ method: 'POST', framing: { kind: 'length', bytes: 2 } }))).toBe(
      'body-too-large',
    );
  });
});

describe('a request that names no host', () => {
  const wide = {
    path: '/x/**',
    access: 'public',
    permission: null,
    methods: ['GET'],
  } as const;

  it('is refused where routes are told apart by host: the upstream is told one all the same', () => {
    const routes = [
      route({ ...wide, name: 'wide' }),
      route({ path: '/x/**', name: 'narrow', host: 'api.internal' }),
    ];
    const byHost = decider(registry, routes);
    expect(byHost.now({ path: '/x/1', host: '' })).toMatchObject({
      reason: 'request-ambiguous',
      route: null,
      detail: 'the request names no host, and routes are told apart by host',
    });
    expect(word(byHost.now({ path: '/x/1', host: 'other' }))).toBe('permitted');
  });

  it('is decided on like any other where they are not', () => {
    const anyHost = decider(registry, [route({ ...wide, name: 'wide' })]);
    expect(word(anyHost.now({ path: '/x/1', host: '' }))).toBe('permitted');
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
    expect(await verdict).toMatchObject({
      permitted: false,
      reason: 'registry-unavailable',
      account: null,
    });
  });
});

describe('a public route', () => {
  it('lets anyone in and reads no token', () => {
    const authorization = `Bearer ${registry.withToken()}`;
    for (const field of [null, authorization, 'Bearer nonsense', 'Basic YTpi']) {
      const verdict = gate.now({ path: '/healthz', authorization: field });
      expect(verdict).toMatchObject({
        permitted: true,
        account: null,
        tokenId: null,
        role: null,
        unsafe: false,
      });
    }
    expect(registry.lookups).toEqual([]);
  });

  it('is public for its own methods only', () => {
    expect(word(gate.now({ path: '/healthz', method: 'HEAD' }))).toBe('permitted');
    expect(word(gate.now({ path: '/healthz', method: 'POST' }))).toBe('token-missing');
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
      expect(
        word(gate.now({ ...request, authorization: `Bearer ${newToken('AAAAAAAAAAAA')}` })),
      ).toBe('token-unknown');
      expect(gate.now({ ...request, authorization: known })).toMatchObject({
        reason,
        route: null,
        account: { account: { name: 'billing-ci' } },
      });
    }
    expect(gate.now({ path: '/apps/crm', method: 'PUT', authorization: known })).toMatchObject({
      allow: ['GET', 'POST'],
    });
  });

  it('are replaced as a whole', () => {
    const authorization = `Bearer ${registry.withToken()}`;
    gate.setRoutes([route({ path: '/new' })]);
    expect(word(gate.now({ path: '/new', authorization }))).toBe('permitted');
    expect(word(gate.now({ path: '/fixed', authorization }))).toBe('route-unknown');
  });

  it('stay as they are when the new ones must not exist', () => {
    const authorization = `Bearer ${registry.withToken()}`;
    expect(() => gate.setRoutes([route({ permission: 'sallyport:registry:read' })])).toThrow(
      TypeError,
    );
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

describe('a body', () => {
  const framings = [{ kind: 'chunked' }, { kind: 'length', bytes: 1 }] as const;
  const none = [
    { kind: 'none', declared: true },
    { kind: 'none', declared: false },
  ] as const;

  it('is taken by no public route', () => {
    for (const method of ['GET', 'HEAD']) {
      for (const framing of framings)
        expect(word(gate.now({ path: '/healthz', method, framing }))).toBe('body-refused');
      for (const framing of none)
        expect(word(gate.now({ path: '/healthz', method, framing }))).toBe('permitted');
    }
  });

  it('is refused to a permitted caller where neither the method nor the route takes one', () => {
    const all = `Bearer ${registry.withToken({ role: 'all' })}`;
    const said = (method: string, framing: RequestHead['framing'], authorization: string | null) =>
      word(gate.now({ path: '/all/x', method, framing, authorization }));
    for (const framing of framings) {
      for (const method of ['GET', 'HEAD', 'OPTIONS', 'DELETE']) {
        expect(said(method, framing, all), method).toBe('body-refused');
        expect(said(method, framing, null), method).toBe('token-missing');
      }
      for (const method of ['POST', 'PUT', 'PATCH'])
        expect(said(method, framing, all), method).toBe('permitted');
    }
    for (const framing of none) expect(said('DELETE', framing, all)).toBe('permitted');
    gate.setRoutes([route({ path: '/all/**', methods: ['GET', 'DELETE'], bodyOn: ['DELETE'] })]);
    expect(said('DELETE', framings[0], all)).toBe('permitted');
    expect(said('GET', framings[0], all)).toBe('body-refused');
  });

  it('is judged last: whoever may not call learns nothing of it', () => {
    const weak = `Bearer ${registry.withToken({ role: 'none' })}`;
    const request = { path: '/all/x', method: 'DELETE', framing: framings[0] };
    expect(word(gate.now({ ...request, authorization: weak }))).toBe('permission-denied');
  });

  it('cannot be allowed on a public route', () => {
    const publicRoute = route({ access: 'public', permission: null, methods: ['GET'] });
    expect(() => gate.setRoutes([{ ...publicRoute, bodyOn: ['GET'] }])).toThrow('takes no body');
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
        Object.assign(view, {
          current: sample.lease,
          unavailable: sample.unavailable,
          late: sample.late,
        });
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
