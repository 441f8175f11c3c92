import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Account } from '../../../src/account/model.ts';
import { Policy } from '../../../src/account/policy.ts';
import { compilePrincipal } from '../../../src/account/principal.ts';
import { askedIn } from '../../../src/audit/event/asked-decision.ts';
import { CallEvents } from '../../../src/audit/event/call-event.ts';
import { isAboutRights, type RecordedCall, rejudge } from '../../../src/decision/recorded-call.ts';
import type { Route } from '../../../src/decision/route.ts';
import type { Verdict } from '../../../src/decision/verdict.ts';
import { requestFieldNames } from '../../../src/http/field-names.ts';
import { isUnsafe } from '../../../src/http/method.ts';
import { DECISION, decisionLine } from '../../support/call-events.ts';
import { account, role, team } from '../account/samples.ts';
import { decider, NOW_MS, route, SampleRegistry } from './samples.ts';

const APPS = ['crm', 'CRM', 'erp', 'shop', 'stock'];
const PERMISSIONS = ['apps:read', 'apps:write', 'apps:test:write', 'envs:read'];
const byPath = { from: 'path', variable: 'application' } as const;
const ROUTES: readonly Route[] = [
  route({
    name: 'read',
    path: '/read/{application}',
    application: byPath,
    permission: 'apps:read',
  }),
  route({
    name: 'folded',
    path: '/any/{application}',
    application: byPath,
    caseInsensitive: true,
    permission: 'apps:write',
  }),
  route({ name: 'all', path: '/all', permission: 'apps:write' }),
  route({
    name: 'fixed',
    path: '/fixed',
    application: { from: 'fixed', name: 'erp' },
    permission: 'envs:read',
  }),
  route({
    name: 'some',
    path: '/some',
    methods: ['GET'],
    application: { from: 'some' },
    permission: 'apps:read',
  }),
  route({
    name: 'stage',
    path: '/to/{stage}/{application}',
    application: byPath,
    permission: 'apps:{stage}:write',
  }),
  route({
    name: 'body',
    path: '/body',
    methods: ['POST'],
    application: { from: 'body', variable: 'app' },
    permission: 'apps:{to}:write',
    bodyVariables: [
      { name: 'app', json: ['apps', '*'] },
      { name: 'to', json: ['to', '*'] },
    ],
  }),
];
const BY_NAME = new Map(ROUTES.map((one) => [one.name, one]));

const roleNames = ['viewer', 'writer', 'other'];
const anyRole = fc.constantFrom(...roleNames, 'none', 'gone');
const policies = fc
  .record({
    permissions: fc.array(
      fc.uniqueArray(fc.constantFrom(...PERMISSIONS, 'apps:*', 'apps:*:write', '*'), {
        maxLength: 3,
      }),
      { minLength: 3, maxLength: 3 },
    ),
    owned: fc.array(fc.uniqueArray(fc.constantFrom('crm', 'erp', 'shop'), { maxLength: 3 }), {
      minLength: 2,
      maxLength: 2,
    }),
  })
  .map(({ permissions, owned: [first = [], second = []] }) => ({
    roles: roleNames.map((name, n) => role(name, ...permissions[n]!)),
    teams: [team('one', ...first), team('two', ...second.filter((app) => !first.includes(app)))],
  }));
const accounts = fc.record({
  role: anyRole,
  teams: fc.uniqueArray(fc.record({ team: fc.constantFrom('one', 'two'), role: anyRole }), {
    selector: (one) => one.team,
    maxLength: 2,
  }),
  grants: fc.uniqueArray(fc.record({ application: fc.constantFrom(...APPS), role: anyRole }), {
    selector: (one) => one.application,
    maxLength: 3,
  }),
});
const app = fc.constantFrom(...APPS, '-no-name', 'crm.');
const calls = fc.oneof(
  fc.record({ path: app.map((name) => `/read/${name}`), method: fc.constantFrom('GET', 'POST') }),
  fc.record({ path: app.map((name) => `/any/${name}`), method: fc.constant('GET') }),
  fc.record({
    path: fc.constantFrom('/all', '/fixed', '/some'),
    method: fc.constantFrom('GET', 'POST'),
  }),
  fc.record({
    path: fc
      .tuple(fc.constantFrom('test', 'live', 'x.'), app)
      .map(([to, name]) => `/to/${to}/${name}`),
    method: fc.constant('POST'),
  }),
  fc.record({
    path: fc.constant('/body'),
    method: fc.constant('POST'),
    body: fc.record({
      apps: fc.array(app, { minLength: 1, maxLength: 3 }),
      to: fc.array(fc.constantFrom('test', 'live'), { minLength: 1, maxLength: 2 }),
    }),
  }),
);
type Call = { readonly path: string; readonly method: string; readonly body?: object };
type Records = typeof policies extends fc.Arbitrary<infer Made> ? Made : never;

/** The decision in earnest, on a registry of these records. */
function decided({ roles, teams }: Records, of: Partial<Account>, call: Call): Verdict {
  const registry = new SampleRegistry();
  registry.policy = Policy.of(roles, teams);
  const token = registry.withToken(of);
  const body = call.body === undefined ? null : JSON.stringify(call.body);
  const typed =
    body === null
      ? {}
      : {
          names: [requestFieldNames.get('Content-Type')!],
          values: ['application/json'],
          framing: { kind: 'length', bytes: body.length } as const,
        };
  const asked = {
    path: call.path,
    method: call.method,
    authorization: `Bearer ${token}`,
    ...typed,
  };
  const verdict = decider(registry, ROUTES).asked(asked, body);
  if (verdict.permitted === null) throw new Error('it asked for a body');
  return verdict;
}

function recorded(verdict: Verdict, call: Call): RecordedCall {
  const reason = verdict.permitted ? 'permitted' : verdict.reason;
  const who = verdict.account?.account ?? null;
  const { account: _, permitted: __, ...facts } = verdict;
  const line = decisionLine(new CallEvents('gate-1'), 1, {
    ...DECISION,
    ...facts,
    ...{ reason, account: who, detail: verdict.permitted ? null : verdict.detail },
    ...{ method: call.method, path: call.path, status: verdict.permitted ? null : 403 },
  } as never);
  const asked = askedIn(line)!;
  return { ...asked, unsafe: isUnsafe(asked.method) };
}

const today = (
  { roles, teams }: Records,
  of: Partial<Account>,
  call: RecordedCall,
  routes = BY_NAME,
) =>
  rejudge(
    Policy.of(roles, teams),
    compilePrincipal(account(of)),
    call,
    routes.get(call.route ?? '') ?? null,
    NOW_MS,
  );

describe('a call that was recorded', () => {
  it('is judged by the same records as it was, and by others as a new call would be', () => {
    let permitted = 0;
    let changed = 0;
    void fc.assert(
      fc.property(
        policies,
        accounts,
        calls,
        policies,
        accounts,
        (now, who, call, then, whoThen) => {
          const verdict = decided(now, who, call);
          const record = recorded(verdict, call);
          const word = verdict.permitted ? 'permitted' : verdict.reason;
          if (!isAboutRights(record, BY_NAME.get(record.route ?? '') ?? null)) {
            expect(word).not.toBe('permitted');
            return;
          }
          expect(today(now, who, record)).toMatchObject({ reason: word, role: verdict.role });
          const anew = decided(then, whoThen, call);
          expect(today(then, whoThen, record)?.reason).toBe(
            anew.permitted ? 'permitted' : anew.reason,
          );
          permitted += verdict.permitted ? 1 : 0;
          changed += verdict.permitted === anew.permitted ? 0 : 1;
        },
      ),
      { numRuns: 400 },
    );
    expect(permitted).toBeGreaterThan(30);
    expect(changed).toBeGreaterThan(30);
  });

  it('is judged as it reads where its route is not known, and not where only that could tell', () => {
    void fc.assert(
      fc.property(policies, accounts, calls, policies, (now, who, call, then) => {
        const verdict = decided(now, who, call);
        const record = recorded(verdict, call);
        const name = record.route ?? '';
        if (name === 'some' || name === 'folded' || !isAboutRights(record, null)) return;
        const judged = today(then, who, record, new Map());
        const anew = decided(then, who, call);
        if (judged !== null) expect(judged.reason).toBe(anew.permitted ? 'permitted' : anew.reason);
        else expect(record.applications!.length).toBeGreaterThan(1);
      }),
      { numRuns: 150 },
    );
  });

  it('says nothing of rights where something else was refused', () => {
    const call = recorded(
      decided({ roles: [], teams: [] }, {}, { path: '/read/crm', method: 'GET' }),
      {
        path: '/read/crm',
        method: 'GET',
      },
    );
    expect(isAboutRights(call, null)).toBe(true);
    expect(isAboutRights({ ...call, reason: 'rate-limited' }, null)).toBe(false);
    expect(isAboutRights({ ...call, hasDetail: true }, null)).toBe(false);
    expect(isAboutRights({ ...call, role: null, applications: null }, null)).toBe(false);
  });

  it('is refused of who is gone, inactive or expired', () => {
    const record = recorded(
      decided(
        { roles: [role('viewer', '*')], teams: [] },
        {},
        { path: '/read/crm', method: 'GET' },
      ),
      { path: '/read/crm', method: 'GET' },
    );
    const now = { roles: [role('viewer', '*')], teams: [] };
    expect(today(now, {}, record)).toEqual({ reason: 'permitted', role: 'viewer' });
    expect(today(now, { status: 'inactive' }, record)?.reason).toBe('account-inactive');
    expect(today(now, { expiresAt: '2020-01-01T00:00:00Z' }, record)?.reason).toBe('token-expired');
    expect(rejudge(Policy.of([], []), null, record, null, NOW_MS)?.reason).toBe('token-unknown');
  });
});
