import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Policy } from '../../../src/account/policy.ts';
import { createRouteTable } from '../../../src/decision/route-table.ts';
import { requestFieldNames } from '../../../src/http/field-names.ts';
import type { RequestHead } from '../../../src/http/request-head.ts';
import { role, team } from '../account/samples.ts';
import { decider, route, SampleRegistry } from './samples.ts';

const DEPLOY = route({
  name: 'deploy',
  path: '/deployments',
  methods: ['POST'],
  application: { from: 'body', variable: 'app' },
  permission: 'deployments:{environment}:write',
  bodyVariables: [
    { name: 'app', json: ['ops', '*', 'app'] },
    { name: 'environment', json: ['to'] },
  ],
  bodyVariableBytes: 1000,
});

let registry: SampleRegistry;
let gate: ReturnType<typeof decider>;

beforeEach(() => {
  registry = new SampleRegistry();
  registry.policy = Policy.of(
    [role('developer', 'deployments:Development:*'), role('deployer', 'deployments:*:write')],
    [team('sales', 'crm', 'shop'), team('back', 'erp')],
  );
  gate = decider(registry, [DEPLOY]);
});

const typed = (...fields: readonly (readonly [string, string])[]) => ({
  names: fields.map(([name]) => requestFieldNames.get(name)!),
  values: fields.map(([, value]) => value),
});
const JSON_TYPE = typed(['Content-Type', 'application/json']);
const ACCOUNT = {
  role: 'none',
  teams: [
    { team: 'sales', role: 'deployer' },
    { team: 'back', role: 'developer' },
  ],
};

function ask(body: string | Buffer | null, changes: Partial<RequestHead> = {}) {
  return gate.asked(
    {
      path: '/deployments',
      method: 'POST',
      authorization: `Bearer ${registry.withToken(ACCOUNT)}`,
      framing: { kind: 'length', bytes: Buffer.byteLength(body ?? 'x') },
      ...JSON_TYPE,
      ...changes,
    },
    body,
  );
}

const order = (to: string, ...apps: readonly string[]) =>
  JSON.stringify({ to, ops: apps.map((app) => ({ app, note: 'x' })) });

describe('a route that is decided by the body', () => {
  it('asks for it, once the caller is known', () => {
    expect(ask(null)).toMatchObject({ permitted: null, limitBytes: 1000 });
    expect(ask(null, { authorization: null })).toMatchObject({ reason: 'token-missing' });
    expect(ask(null, { path: '/other' })).toMatchObject({ reason: 'route-unknown' });
    expect(ask(null, { method: 'PUT' })).toMatchObject({ reason: 'method-refused' });
  });

  it('permits what every application permits, and says what was asked for', () => {
    expect(ask(order('Development', 'crm'))).toMatchObject({
      permitted: true,
      application: 'crm',
      role: 'deployer',
      demand: { applications: ['crm'], permissions: ['deployments:Development:write'] },
    });
    expect(ask(order('Development', 'crm', 'erp', 'crm'))).toMatchObject({
      permitted: true,
      application: null,
      role: null,
      demand: { applications: ['crm', 'erp'] },
    });
    expect(ask(order('Production', 'crm', 'shop'))).toMatchObject({
      permitted: true,
      role: 'deployer',
    });
    expect(ask(order('Production', 'crm', 'erp'))).toMatchObject({
      reason: 'permission-denied',
      application: 'erp',
      role: 'developer',
      detail: null,
    });
    expect(ask(order('Development', 'crm', 'unknown'))).toMatchObject({
      reason: 'permission-denied',
      role: 'none',
    });
  });

  it.each([
    ['{}', 'does not say'],
    [order('Development'), 'does not say'],
    [order('', 'crm'), 'does not say'],
    [order('Development', 'crm', ''), 'does not say'],
    ['{"to":"Development","ops":[{"app":"crm"},{"App":"erp"}]}', 'does not say'],
    ['{"to":7,"ops":[{"app":"crm"}]}', 'does not say'],
    [order('Development', 'crm', 'a:b'), 'no possible name'],
    [order('Development', 'crm.'), 'no possible name'],
    [order('Development', ' crm'), 'no possible name'],
    [order('*', 'crm'), 'no possible name'],
    [order('Development:write', 'crm'), 'no possible name'],
    [order('D\u00e9v', 'crm'), 'no possible name'],
    [order('x'.repeat(65), 'crm'), 'no possible name'],
    [
      order('Development', ...Array.from({ length: 101 }, (_, n) => `a${n}`)).replaceAll(
        ',"note":"x"',
        '',
      ),
      null,
    ],
  ])('refuses, whoever asks: %s', (body, detail) => {
    gate = decider(registry, [{ ...DEPLOY, bodyVariableBytes: 10_000 }]);
    const { detail: said, ...verdict } = ask(body) as never as Record<string, unknown>;
    expect(verdict).toMatchObject({ permitted: false, reason: 'permission-denied' });
    expect(said).toContain(detail ?? 'too many');
  });

  it.each([
    [Buffer.from([0x7b, 0xff, 0x7d]), 'valid JSON'],
    [Buffer.from(`\ufeff${order('Development', 'crm')}`), 'valid JSON'],
    [Buffer.from(order('Development', 'crm'), 'utf16le'), 'valid JSON'],
    [Buffer.from('{"to":"\xed\xa0\x80"}', 'latin1'), 'valid JSON'],
    [Buffer.from('{"to":"\xc1\xa1"}', 'latin1'), 'valid JSON'],
    ['', 'valid JSON'],
    ['to=Development&app=crm', 'valid JSON'],
    ['{"to":"Development","ops":[{"app":"crm","app":"shop"}]}', 'stands twice'],
    ['{"to":"Development","ops":[{"app":"crm","APP":"shop"}]}', 'stands twice'],
    ['{"to":"Development","ops":[{"\\u0061pp":"crm"}]}', 'escapes'],
    [`{"to":${'['.repeat(100)}`, 'deeply'],
  ])('refuses a body that could be read otherwise: %j', (body, detail) => {
    expect(ask(body)).toMatchObject({
      permitted: false,
      reason: 'body-refused',
      detail: expect.stringContaining(detail),
    });
  });

  it('refuses a larger one, as it is declared or as it comes', () => {
    expect(ask(null, { framing: { kind: 'length', bytes: 1001 } })).toMatchObject({
      reason: 'body-too-large',
    });
    expect(ask(null, { framing: { kind: 'chunked' } })).toMatchObject({ permitted: null });
    expect(ask('x'.repeat(1001), { framing: { kind: 'chunked' } })).toMatchObject({
      reason: 'body-too-large',
    });
  });

  it.each([
    [['application/json; charset=utf-8'], true],
    [['application/json;charset="UTF-8"'], true],
    [['Application/JSON'], true],
    [[], false],
    [[''], false],
    [['text/json'], false],
    [['application/json5'], false],
    [['application/jsonx'], false],
    [['application/problem+json'], false],
    [['application/json; charset=utf-16'], false],
    [['application/json; charset=utf-8; charset=utf-7'], false],
    [['application/json; profile=x'], false],
    [['application/json;'], false],
    [['application/json, text/plain'], false],
    [['application/x-www-form-urlencoded'], false],
    [['application/json', 'application/json'], false],
    [['application/json', 'text/plain'], false],
  ])('goes by one Content-Type alone: %j', (types, taken) => {
    const fields = types.map((type) => ['Content-Type', type] as const);
    expect(ask(null, typed(...fields))).toMatchObject(
      taken ? { permitted: null } : { reason: 'body-refused' },
    );
  });

  it('takes no content coding, no body that is not there, and no type that does not go on', () => {
    const type = ['Content-Type', 'application/json'] as const;
    for (const coding of ['gzip', 'identity', ''])
      expect(ask(null, typed(type, ['content-encoding', coding]))).toMatchObject({
        reason: 'body-refused',
      });
    expect(ask(null, { nominated: ['content-type'] })).toMatchObject({ reason: 'body-refused' });
    expect(ask(null, { framing: { kind: 'none', declared: true } })).toMatchObject({
      reason: 'body-refused',
    });
  });

  it('takes the registry’s spelling where the service ignores letter case', () => {
    gate = decider(registry, [{ ...DEPLOY, caseInsensitive: true }]);
    expect(ask(order('Development', 'CRM', 'crm'))).toMatchObject({
      permitted: true,
      demand: { applications: ['crm'] },
    });
    expect(ask(order('Production', 'ERP'))).toMatchObject({
      application: 'erp',
      role: 'developer',
    });
  });

  it('is permitted only for exactly the values that a plain reader finds', () => {
    const word = fc.constantFrom('crm', 'shop', 'erp', 'Development', 'other', '', 'a b', 'CRM');
    const element = fc.oneof(
      fc.record({ app: word }),
      fc.record({ app: word, App: word }),
      fc.record({ x: word }),
      word,
      fc.constant(null),
    );
    const document = fc.record({
      to: fc.oneof(word, fc.constantFrom('Development', 'Production')),
      ops: fc.oneof(fc.array(element, { maxLength: 3 }), element),
    });
    const may = (app: string, to: string) =>
      ['crm', 'shop'].includes(app) || (app === 'erp' && to === 'Development');
    void fc.assert(
      fc.property(document, ({ to, ops }) => {
        const list: readonly unknown[] = Array.isArray(ops) ? ops : [];
        const apps = list.map((one) => (Object(one) as { app?: string }).app ?? '');
        const plain = list.every((one) => !Object.hasOwn(Object(one) as object, 'App'));
        const expected =
          plain && apps.length > 0 && /^[A-Za-z]+$/.test(to) && apps.every((app) => may(app, to));
        expect(ask(JSON.stringify({ to, ops })).permitted).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a route table', () => {
  it('refuses variables that stand nowhere, or in two places', () => {
    const made = (changes: object) => () => createRouteTable([{ ...DEPLOY, ...changes }]);
    expect(made({})).not.toThrow();
    expect(made({ bodyVariables: [] })).toThrow('stands neither');
    expect(made({ bodyVariables: [{ name: 'environment', json: ['to'] }] })).toThrow('body');
    expect(made({ path: '/{app}' })).toThrow('in the path and in the body');
    expect(made({ access: 'public', methods: ['GET'] })).toThrow('takes no body');
  });
});
