import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiBench, openApi } from '../../support/api/api.ts';

interface Shown {
  readonly account: { readonly id: string; readonly version: number; readonly description: string };
}
interface Listed {
  readonly items: readonly { readonly name: string }[];
  readonly next: string | null;
}

describe('service accounts over the API', () => {
  let api: ApiBench;
  const create = async (fields: object): Promise<Shown & { readonly token: string }> => {
    const made = await api.call('POST', '/service-accounts', {
      body: { role: 'tester', ...fields },
    });
    expect(made.text).toContain('"account"');
    return made.body;
  };
  const names = async (query: string): Promise<readonly string[]> => {
    const answer = await api.call('GET', `/service-accounts?${query}`);
    expect(answer.status).toBe(200);
    return (answer.body as Listed).items.map(({ name }) => name).sort();
  };

  beforeAll(async () => {
    api = await openApi();
  });
  afterAll(() => api.stop());

  it('shows the token of a new account once, and its record as often as is asked', async () => {
    const made = await api.call('POST', '/service-accounts', {
      body: { name: 'ci', role: 'tester', description: 'Builds' },
    });
    expect(made.status).toBe(201);
    const { account, token } = made.body as Shown & { token: string };
    expect(token).toMatch(/^slp_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/);
    expect(made.headers.etag).toBe(`"${account.version}"`);
    expect(made.headers['cache-control']).toBe('no-store');
    const shown = await api.call('GET', `/service-accounts/${account.id}`);
    expect(shown.status).toBe(200);
    expect(shown.text).not.toContain('slp_');
    expect(shown.body).toMatchObject({
      account: { name: 'ci', role: 'tester', description: 'Builds', status: 'active' },
    });
  });

  it('makes a creation with a key once, and never tells a token twice', async () => {
    const headers = { 'idempotency-key': 'once-1' };
    const body = { name: 'once', role: 'tester' };
    const first = await api.call('POST', '/service-accounts', { body, headers });
    const again = await api.call('POST', '/service-accounts', { body, headers });
    expect([first.status, again.status]).toEqual([201, 200]);
    expect((again.body as Shown).account.id).toBe((first.body as Shown).account.id);
    expect(again.body).toMatchObject({ token: null });
    expect(again.text).not.toContain('slp_');
    const other = await api.call('POST', '/service-accounts', {
      body: { ...body, name: 'twice' },
      headers,
    });
    expect(other.body).toMatchObject({ status: 422, reason: 'idempotency-mismatch' });
    await api.call('DELETE', `/service-accounts/${(first.body as Shown).account.id}`);
    const spent = await api.call('POST', '/service-accounts', { body, headers });
    expect(spent.body).toMatchObject({ status: 409, reason: 'idempotency-spent' });
  });

  it('lets two requests with one key that come together make one account', async () => {
    const request = {
      body: { name: 'racer', role: 'tester' },
      headers: { 'idempotency-key': 'race' },
    };
    const answers = await Promise.all(
      [1, 2, 3, 4].map(() => api.call('POST', '/service-accounts', request)),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    for (const { status } of answers) expect([200, 201, 409]).toContain(status);
  });

  it('forgets a key whose creation was refused', async () => {
    const headers = { 'idempotency-key': 'mended' };
    const wrong = await api.call('POST', '/service-accounts', {
      body: { name: 'mended', role: 'no-such-role' },
      headers,
    });
    expect(wrong.body).toMatchObject({
      status: 422,
      reason: 'invalid',
      faults: [{ field: 'role' }],
    });
    const right = await api.call('POST', '/service-accounts', {
      body: { name: 'mended', role: 'tester' },
      headers,
    });
    expect(right.status).toBe(201);
  });

  it('refuses a change to a record that somebody else has changed since', async () => {
    const { account } = await create({ name: 'contended' });
    const path = `/service-accounts/${account.id}`;
    const seen = { 'if-match': `"${account.version}"` };
    const first = await api.call('PATCH', path, { body: { description: 'mine' }, headers: seen });
    expect(first.status).toBe(200);
    expect(first.headers.etag).toBe(`"${(first.body as Shown).account.version}"`);
    const second = await api.call('PATCH', path, { body: { description: 'yours' }, headers: seen });
    expect(second.body).toMatchObject({ status: 412, reason: 'precondition-failed' });
    const removal = await api.call('DELETE', path, { headers: seen });
    expect(removal.status).toBe(412);
    const shown = (await api.call('GET', path)).body as Shown;
    expect(shown.account.description).toBe('mine');
    for (const tag of ['W/"1"', '1', '"1", "2"', 'x']) {
      expect(
        (await api.call('PATCH', path, { body: {}, headers: { 'if-match': tag } })).status,
      ).toBe(412);
    }
    expect(
      (
        await api.call('PATCH', path, {
          body: { description: 'any' },
          headers: { 'if-match': '*' },
        })
      ).status,
    ).toBe(200);
  });

  it('rotates with and without overlap, and says where that is in force', async () => {
    const { account } = await create({ name: 'turning' });
    const path = `/service-accounts/${account.id}/token`;
    const rotated = await api.call('POST', path);
    expect(rotated.body).toMatchObject({
      revocation: { effective: true, instances: 1, acknowledged: 1, certainAt: null },
    });
    const overlapping = await api.call('POST', path, { body: { overlapMs: 60_000 } });
    expect(overlapping.body).toMatchObject({
      account: { previousToken: { validUntil: expect.any(String) } },
    });
    const closed = await api.call('DELETE', `${path}/overlap`);
    expect(closed.body).toMatchObject({ changed: true, account: { previousToken: null } });
    expect((await api.call('POST', path, { body: { overlapMs: 8 * 86_400_000 } })).status).toBe(
      422,
    );
  });

  it('finds accounts by what they are and how they are used', async () => {
    await create({
      name: 'find-a',
      description: 'Nightly BUILDS',
      expiresAt: new Date(Date.now() + 3 * 86_400_000).toISOString(),
    });
    const { account } = await create({ name: 'find-b' });
    await api.call('PATCH', `/service-accounts/${account.id}`, { body: { status: 'inactive' } });
    await api.call('PUT', `/service-accounts/${account.id}/grants/CRM`, {
      body: { role: 'administrator' },
    });
    expect(await names('search=nightly%20builds')).toEqual(['find-a']);
    expect(await names('search=FIND-&status=inactive')).toEqual(['find-b']);
    expect(await names('search=find-&status=active')).toEqual(['find-a']);
    expect(await names('search=find-&role=administrator')).toEqual(['find-b']);
    expect(await names('expiringWithinDays=7')).toEqual(['find-a']);
    expect(await names('expiringWithinDays=1')).toEqual([]);
    expect(await names('search=find-&neverUsed=true')).toEqual(['find-a', 'find-b']);
    expect(await names('search=find-&unusedForDays=30')).toEqual([]);
    expect(await names('name=find-b')).toEqual(['find-b']);
    expect(await names('team=no-such-team')).toEqual([]);
  });

  it('lists everybody once, page by page', async () => {
    const all = await names('limit=500');
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Listed = (
        await api.call(
          'GET',
          `/service-accounts?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
        )
      ).body;
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items.map(({ name }) => name));
      cursor = page.next;
    }
    expect(seen.sort()).toEqual(all);
  });

  it('does not show a person among the machines, nor delete one there', async () => {
    const user = await api.call('POST', '/users', {
      body: { name: 'alice', role: 'tester', password: 'correct horse battery' },
    });
    expect(user.status).toBe(201);
    const { id } = (user.body as Shown).account;
    expect(user.text).not.toContain('scrypt');
    expect((await api.call('GET', `/service-accounts/${id}`)).body).toMatchObject({
      status: 404,
      reason: 'not-found',
    });
    expect((await api.call('DELETE', `/service-accounts/${id}`)).status).toBe(404);
    expect(await names('name=alice')).toEqual([]);
    expect((await api.call('GET', `/users/${id}`)).status).toBe(200);
    const same = await api.call('PUT', `/users/${id}/password`, {
      body: { password: 'correct horse battery' },
    });
    expect(same.status).toBe(422);
    expect(
      (
        await api.call('PUT', `/users/${id}/password`, {
          body: { password: 'another horse battery' },
        })
      ).status,
    ).toBe(200);
  });
});
