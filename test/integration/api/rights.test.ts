import { request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FOUND_TOKENS, OPERATIONS } from '../../../src/admin/api/operations.ts';
import { type ApiBench, openApi, owner } from '../../support/api/api.ts';

/**
 * Nobody beyond their own, told by HTTP status. A manager may write the registry and deploy; a
 * reader may look; a caller may nothing here.
 */
describe('who may what over the API', () => {
  let api: ApiBench;
  const ids: Record<string, string> = {};
  const tokens: Record<string, string> = {};

  beforeAll(async () => {
    api = await openApi();
    const { administration } = api.test;
    const role = (name: string, ...permissions: string[]) =>
      administration.createRole(owner, { name, permissions });
    await role('manager', 'deployments:*', 'sallyport:registry:read', 'sallyport:registry:write');
    await role('reader', 'sallyport:registry:read');
    await role('watcher', 'sallyport:activity:read');
    await role('counter', 'sallyport:instances:read');
    await role('strong', 'deployments:read', 'environments:write');
    await role('everything', '*');
    await role('deployer', 'deployments:write');
    await administration.createTeam(owner, { name: 'crew', applications: ['CRM'] });
    for (const name of [
      'manager',
      'reader',
      'watcher',
      'counter',
      'strong',
      'everything',
      'deployer',
    ]) {
      const made = await api.test.createAccount({ name: `a-${name}`, role: name });
      ids[name] = made.id;
      tokens[name] = made.token;
    }
    const lent = await administration.createServiceAccount(owner, {
      name: 'a-lent',
      role: 'none',
      teams: [{ team: 'crew', role: 'manager' }],
    });
    tokens.lent = lent.token;
  });
  afterAll(() => api.stop());

  it.each<[string, string, readonly string[]]>([
    ['GET', '/service-accounts', ['manager', 'reader']],
    ['GET', '/users', ['manager', 'reader']],
    ['GET', '/roles', ['manager', 'reader']],
    ['GET', '/teams/crew', ['manager', 'reader']],
    ['GET', '/explain?account=a-strong&method=GET&path=/', ['manager', 'reader']],
    ['GET', '/who-can?method=GET&path=/', ['manager', 'reader']],
    ['GET', '/who-can/matrix?permission=apps:read', ['manager', 'reader']],
    ['GET', '/route-tables', ['manager', 'reader']],
    ['GET', '/activity', ['watcher']],
    ['GET', '/service-accounts/000000000000/activity', ['watcher']],
    ['HEAD', '/activity/stream', ['watcher']],
    ['GET', '/instances', ['counter']],
    ['GET', '/audit/verification', ['watcher']],
    ['GET', '/audit/reindex', ['manager']],
  ])('lets only who may read: %s %s', async (method, path, may) => {
    for (const name of [
      'manager',
      'reader',
      'watcher',
      'counter',
      'strong',
      'everything',
      'lent',
    ]) {
      const { status } = await api.call(method, path, { token: tokens[name]! });
      expect([name, status]).toEqual([name, may.includes(name) ? 200 : 403]);
    }
  });

  it('asks for a token and for a permission at every operation that there is', async () => {
    const { token: weak } = await api.test.createAccount({ name: 'a-nothing', role: 'none' });
    const free: string[] = [];
    for (const { id, method, path, needs } of OPERATIONS) {
      const at = path.replace('{id}', '000000000000').replace(/\{[a-z]+\}/g, 'x');
      const ask = (token: string | null) =>
        api.call(method.toUpperCase(), at, {
          token,
          body: ['get', 'delete'].includes(method) ? undefined : {},
        });
      expect([id, (await ask(null)).status]).toEqual([id, 401]);
      if (needs === 'any' || needs === 'nobody') free.push(id);
      else expect([id, (await ask(weak)).status]).toEqual([id, 403]);
      // Verifying reads the record, and changes nothing.
      const changes = method !== 'get' && id !== 'verifyAudit';
      if (changes && needs !== 'any') expect([id, needs]).toEqual([id, 'sallyport:registry:write']);
    }
    expect(free).toEqual(['renewToken']);
    expect(FOUND_TOKENS.map(({ needs }) => needs)).toEqual(['nobody']);
  });

  it('lets nobody write who may only read, and tells them what they lack', async () => {
    for (const name of ['reader', 'watcher', 'everything', 'lent']) {
      const answer = await api.call('POST', '/roles', {
        token: tokens[name]!,
        body: { name: 'x', permissions: [] },
      });
      expect(answer.body).toMatchObject({
        ...{ status: 403, reason: 'permission-denied' },
        detail: `a-${name} lacks the permission sallyport:registry:write, which this needs`,
      });
    }
  });

  it('lets a manager work on what may do no more', async () => {
    const as = { token: tokens.manager! };
    expect(
      (
        await api.call('POST', '/service-accounts', {
          ...as,
          body: { name: 'made', role: 'deployer' },
        })
      ).status,
    ).toBe(201);
    expect((await api.call('POST', `/service-accounts/${ids.deployer}/token`, as)).status).toBe(
      200,
    );
    expect(
      (
        await api.call('POST', '/roles', {
          ...as,
          body: { name: 'small', permissions: ['deployments:start'] },
        })
      ).status,
    ).toBe(201);
  });

  it.each<[string, string, (id: typeof ids) => string, object?]>([
    [
      'create an administrator',
      'POST',
      () => '/service-accounts',
      { name: 'x', role: 'administrator' },
    ],
    [
      'create a person who is one',
      'POST',
      () => '/users',
      { name: 'x', role: 'administrator', password: 'correct horse battery' },
    ],
    ['create a stronger role', 'POST', () => '/roles', { name: 'x', permissions: ['*'] }],
    [
      'create a role with all own permissions',
      'POST',
      () => '/roles',
      { name: 'x', permissions: ['sallyport:*'] },
    ],
    ['raise a role', 'PATCH', () => '/roles/deployer', { permissions: ['environments:write'] }],
    ['lower a stronger role', 'PATCH', () => '/roles/strong', { permissions: [] }],
    ['raise an account', 'PATCH', (id) => `/service-accounts/${id.deployer}`, { role: 'strong' }],
    ['raise itself', 'PATCH', (id) => `/service-accounts/${id.manager}`, { role: 'administrator' }],
    [
      'raise by a grant',
      'PUT',
      (id) => `/service-accounts/${id.deployer}/grants/CRM`,
      { role: 'strong' },
    ],
    ['raise by a team', 'PUT', (id) => `/teams/crew/members/${id.deployer}`, { role: 'strong' }],
    ['take over a stronger account', 'POST', (id) => `/service-accounts/${id.strong}/token`, {}],
    [
      'switch off a stronger account',
      'PATCH',
      (id) => `/service-accounts/${id.strong}`,
      { status: 'inactive' },
    ],
    ['delete a stronger account', 'DELETE', (id) => `/service-accounts/${id.strong}`],
  ])('does not let a manager %s', async (_what, method, pathOf, body) => {
    const answer = await api.call(method, pathOf(ids), {
      token: tokens.manager!,
      ...(body === undefined ? {} : { body }),
    });
    expect(answer.body).toMatchObject({ status: 403, reason: 'forbidden' });
  });

  it('keeps a person out, whatever the role', async () => {
    // People hold no token; one made by hand for the id of a person must not pass either.
    const { newToken } = await import('../../../src/account/token.ts');
    const { body } = await api.call('POST', '/users', {
      body: { name: 'boss', role: 'administrator', password: 'correct horse battery' },
    });
    const { id } = (body as { account: { id: string } }).account;
    expect((await api.call('GET', '/roles', { token: newToken(id) })).body).toMatchObject({
      status: 401,
      reason: 'token-refused',
    });
  });

  it.each([
    [
      'deactivated',
      401,
      'token-refused',
      (id: string) => api.test.administration.deactivateAccount(owner, { id }),
    ],
    [
      'lowered',
      403,
      'permission-denied',
      (id: string) => api.test.administration.editAccount(owner, { id, role: 'none' }),
    ],
  ] as const)(
    'does nothing for an account that was %s while its request was on the way',
    async (how, status, reason, change) => {
      const { id, token } = await api.test.createAccount({
        name: `slow-${how}`,
        role: 'administrator',
      });
      const body = JSON.stringify({ name: `late-${how}`, permissions: ['*'] });
      const { promise, resolve, reject } = Promise.withResolvers<{
        status: number;
        text: string;
      }>();
      const sent = request(`${api.url}/api/v1/roles`, {
        method: 'POST',
        ca: api.ca,
        agent: false,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'content-length': body.length,
        },
      });
      sent.once('error', reject);
      sent.once('response', async (response) => {
        const pieces: Buffer[] = [];
        for await (const piece of response) pieces.push(piece as Buffer);
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString() });
      });
      sent.write(body.slice(0, 5));
      // It is let in, and that is on record.
      const ofThis = async () =>
        (await api.test.events()).filter(
          ({ actor }) => (actor as { id?: string } | undefined)?.id === id,
        );
      await expect
        .poll(async () => (await ofThis()).map(({ phase, reason: word }) => [phase, word]))
        .toContainEqual(['decision', 'permitted']);
      await change(id);
      sent.end(body.slice(5));
      const answer = await promise;
      expect([answer.status, JSON.parse(answer.text)]).toEqual([
        status,
        expect.objectContaining({ reason }),
      ]);
      expect((await api.call('GET', `/roles/late-${how}`)).status).toBe(404);
      const outcome = (await ofThis()).find(({ phase }) => phase === 'outcome');
      expect(outcome).toMatchObject({
        status,
        reason: how === 'lowered' ? reason : 'account-inactive',
      });
    },
  );
});
