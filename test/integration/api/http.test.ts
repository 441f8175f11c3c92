import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiBench, type ApiRequest, openApi } from '../../support/api/api.ts';

/** Of an operation in the OpenAPI document. */
interface Parameter {
  readonly name: string;
  readonly example: unknown;
  readonly schema: { readonly pattern?: string };
}

describe('the API as a server of HTTP', () => {
  let api: ApiBench;
  beforeAll(async () => {
    api = await openApi();
  });
  afterAll(() => api.stop());

  it.each<[string, string, string, ApiRequest, number, string]>([
    ['no token', 'GET', '/roles', { token: null }, 401, 'token-missing'],
    [
      'another scheme',
      'GET',
      '/roles',
      { token: null, headers: { authorization: 'Basic YTpi' } },
      401,
      'token-missing',
    ],
    ['what is no token', 'GET', '/roles', { token: 'slp_x' }, 401, 'token-refused'],
    [
      'two Authorization fields',
      'GET',
      '/roles',
      { token: null, headers: { authorization: ['Bearer a', 'Bearer b'] } },
      400,
      'request-ambiguous',
    ],
    ['an unknown path', 'GET', '/nothing', {}, 404, 'route-unknown'],
    ['the base itself', 'GET', '/api/v1', {}, 404, 'route-unknown'],
    ['a path beside the API', 'GET', '/api/v2/roles', {}, 404, ''],
    ['a method that the path does not take', 'DELETE', '/roles', {}, 405, 'method-refused'],
    ['an unknown id', 'GET', '/service-accounts/000000000000', {}, 404, 'not-found'],
    ['an id that is none', 'GET', '/service-accounts/no-such-id', {}, 404, 'not-found'],
    ['dots in a path', 'GET', '/service-accounts/%2e%2e', {}, 400, 'target-ambiguous'],
    ['an unknown parameter', 'GET', '/roles?colour=red', {}, 422, 'invalid'],
    ['a parameter twice', 'GET', '/roles?limit=1&limit=2', {}, 422, 'invalid'],
    ['a limit that is none', 'GET', '/service-accounts?limit=0', {}, 422, 'invalid'],
    ['a cursor that was not given out', 'GET', '/activity?cursor=e30', {}, 422, 'invalid'],
    ['a moment that is none', 'GET', '/activity?since=yesterday', {}, 422, 'invalid'],
    [
      'a body that is no JSON',
      'POST',
      '/roles',
      { raw: '{', headers: jsonType() },
      400,
      'body-malformed',
    ],
    [
      'a body of another type',
      'POST',
      '/roles',
      { raw: 'a=b', headers: { 'content-type': 'text/plain' } },
      415,
      'media-type-refused',
    ],
    ['no body', 'POST', '/roles', {}, 415, 'media-type-refused'],
    ['a list for a body', 'POST', '/roles', { body: [] }, 422, 'invalid'],
    [
      'an unknown field',
      'POST',
      '/roles',
      { body: { name: 'x', permissions: [], color: 1 } },
      422,
      'invalid',
    ],
    [
      'a field of the prototype',
      'POST',
      '/roles',
      { raw: '{"name":"x","permissions":[],"__proto__":{}}', headers: jsonType() },
      422,
      'invalid',
    ],
    [
      'a permission without meaning',
      'POST',
      '/roles',
      { body: { name: 'x', permissions: ['sallyport:all'] } },
      422,
      'invalid',
    ],
    [
      'a body past the limit',
      'POST',
      '/roles',
      { raw: `"${'x'.repeat(140_000)}"`, headers: jsonType() },
      413,
      'body-too-large',
    ],
    [
      'a taken name',
      'POST',
      '/roles',
      { body: { name: 'tester', permissions: [] } },
      409,
      'name-taken',
    ],
    ['a role that is in use', 'DELETE', '/roles/tester', {}, 409, 'in-use'],
    ['a built-in role', 'PATCH', '/roles/none', { body: { permissions: ['*'] } }, 403, 'forbidden'],
    [
      'found tokens, where they are not asked for',
      'POST',
      '/tokens/found',
      { body: { token: 'x' } },
      404,
      'route-unknown',
    ],
  ])('answers %s with a problem', async (_name, method, path, request, status, reason) => {
    const answer = await api.call(method, path, request);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.body).toMatchObject({
      status,
      title: expect.any(String),
      type: expect.any(String),
    });
    if (reason !== '') {
      expect(answer.body).toMatchObject({ reason, requestId: expect.any(String) });
      expect(answer.headers['x-request-id']).toBe((answer.body as { requestId: string }).requestId);
    }
    if (status === 401)
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer realm="sallyport"/);
    if (status === 405) expect(answer.headers.allow).toBe('GET, HEAD, POST');
  });

  it('lets the last administrator neither go nor lower themselves', async () => {
    const path = `/service-accounts/${api.administrator.id}`;
    for (const [method, body] of [
      ['DELETE', undefined],
      ['PATCH', { status: 'inactive' }],
      ['PATCH', { role: 'none' }],
    ] as const) {
      const answer = await api.call(method, path, { body });
      expect(answer.body).toMatchObject({
        status: 409,
        reason: 'last-administrator',
        detail: expect.stringContaining('first'),
      });
    }
    expect(
      (await api.call('PATCH', path, { body: { status: 'inactive', leaveNoAdministrator: true } }))
        .status,
    ).toBe(422);
  });

  it('answers HEAD like GET, without the body', async () => {
    const answer = await api.call('HEAD', '/roles');
    expect([answer.status, answer.text]).toEqual([200, '']);
    expect(answer.headers['content-type']).toBe('application/json');
  });

  it('lets no other origin in and is kept by no cache, whatever it answers', async () => {
    for (const [method, path, token] of [
      ['GET', '/roles', undefined],
      ['OPTIONS', '/roles', null],
      ['GET', '/nothing', undefined],
      ['GET', '/openapi.json', null],
      ['GET', '/docs', null],
    ] as const) {
      const { headers } = await api.call(method, path, {
        ...(token === undefined ? {} : { token }),
        headers: { origin: 'https://evil.example', 'access-control-request-method': 'GET' },
      });
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
      expect(headers['cache-control']).toBe('no-store');
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['content-security-policy']).toMatch(
        /default-src 'none'.*frame-ancestors 'none'/,
      );
    }
  });

  it('names every fault of an input, not only the first', async () => {
    const answer = await api.call('POST', '/service-accounts', {
      body: { name: '-', role: 'x y', colour: 1, expiresAt: 7 },
    });
    const { faults } = answer.body as { faults: readonly { field: string }[] };
    expect(faults.map(({ field }) => field).sort()).toEqual([
      'colour',
      'expiresAt',
      'name',
      'role',
    ]);
  });

  it('documents itself without a token: an OpenAPI document and a page without script', async () => {
    const document = await api.call('GET', '/openapi.json', { token: null });
    const { openapi, paths } = document.body as {
      openapi: string;
      paths: Record<string, Record<string, { parameters?: readonly Parameter[] }>>;
    };
    expect(openapi).toBe('3.1.0');
    expect(Object.keys(paths)).toContain('/service-accounts/{id}/token');
    expect(Object.keys(paths)).not.toContain('/tokens/found');
    const parameters = Object.values(paths).flatMap((path) =>
      Object.values(path).flatMap((operation) => operation.parameters ?? []),
    );
    expect(parameters.length).toBeGreaterThan(50);
    for (const { name, example, schema } of parameters)
      expect([name, example]).toEqual([
        name,
        schema.pattern === undefined ? example : expect.stringMatching(new RegExp(schema.pattern)),
      ]);
    const page = await api.call('GET', '/docs', { token: null });
    expect(page.status).toBe(200);
    expect(page.text).toContain('/service-accounts/{id}/token');
    expect(page.text).not.toMatch(/<script|https?:\/\/(?!HOST)/);
    expect(page.headers['content-security-policy']).toMatch(/style-src 'sha256-/);
  });

  it('writes every request down: who asked, for what, and what was said', async () => {
    const secret = 'never-in-the-log';
    await api.call('GET', `/service-accounts?search=${secret}`);
    await api.call('GET', '/roles', { token: null });
    await api.call('POST', '/roles', { body: { name: 'logged', permissions: [] } });
    const events = (await api.test.events()).filter(
      ({ type }) => type === 'admin-call' || type === 'role-created',
    );
    expect(JSON.stringify(events)).not.toContain(secret);
    const actor = {
      id: api.administrator.id,
      name: 'administrator-account',
      kind: 'service',
      via: 'admin-api',
    };
    expect(events).toContainEqual(
      expect.objectContaining({
        phase: 'decision',
        reason: 'permitted',
        method: 'GET',
        path: '/api/v1/service-accounts',
        actor,
      }),
    );
    expect(events).toContainEqual(
      expect.objectContaining({
        phase: 'decision',
        decision: 'refusal',
        reason: 'token-missing',
        account: null,
        status: 401,
      }),
    );
    expect(events).toContainEqual(
      expect.objectContaining({ phase: 'outcome', status: 201, method: 'POST', actor }),
    );
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'role-created',
        actor,
        target: expect.objectContaining({ name: 'logged' }),
      }),
    );
  });
});

function jsonType() {
  return { 'content-type': 'application/json' };
}
