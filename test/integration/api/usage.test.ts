import { EventEmitter, once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { UsageSeries, UsageTop } from '../../../src/admin/usage.ts';
import { type ApiBench, openApi } from '../../support/api/api.ts';

const SAID = 'x'.repeat(1000);

describe('who calls, over the API of a gate that is called', () => {
  let upstream: Server;
  let api: ApiBench;
  let busy: { id: string; token: string };
  let quiet: { id: string; token: string };
  let reader: string;
  const slow = new EventEmitter();

  const calls = async (token: string, path: string, times: number, init: RequestInit = {}) => {
    for (let n = 0; n < times; n += 1) {
      const headers = { authorization: `Bearer ${token}` };
      await (await fetch(`${api.test.url}${path}`, { ...init, headers })).arrayBuffer();
    }
  };
  const ask = async <T>(path: string, token = reader): Promise<T> => {
    const answer = await api.call('GET', path, { token });
    expect([answer.status, answer.text.slice(0, 200)]).toEqual([200, expect.any(String)]);
    return answer.body;
  };

  beforeAll(async () => {
    upstream = createServer((asked, answer) => {
      asked.resume();
      if (asked.url?.endsWith('/slow')) slow.emit('asked', answer);
      else asked.once('end', () => answer.end(SAID));
    }).listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const { port } = upstream.address() as AddressInfo;
    const route = (name: string, path: string, permission: string) => ({
      ...{ name, path, permission, upstream: 'api', application: '{application}' },
      methods: ['GET', 'POST'],
    });
    api = await openApi({
      plaintext: true,
      upstreams: { api: { addresses: [`http://127.0.0.1:${port}`] } },
      routes: [
        route('apps', '/apps/{application}', 'test:read'),
        route('secrets', '/secrets/{application}', 'nobody:has'),
        { name: 'public', path: '/public', access: 'public', upstream: 'api' },
      ],
    });
    for (const [name, permission] of [
      ['watcher', 'sallyport:activity:read'],
      ['lister', 'sallyport:registry:read'],
    ] as const)
      await api.call('POST', '/roles', { body: { name, permissions: [permission] } });
    ({ token: reader } = await api.test.createAccount({ name: 'reader', role: 'watcher' }));
    busy = await api.test.createAccount({ name: 'busy', role: 'tester' });
    quiet = await api.test.createAccount({ name: 'quiet', role: 'tester' });
    await calls(busy.token, '/apps/CRM', 5);
    await calls(busy.token, '/apps/HR', 2, { method: 'POST', body: 'four' });
    await calls(quiet.token, '/secrets/CRM', 3);
    await calls('nobody', '/apps/made-up', 4);
    await calls('nobody', '/public', 1);
  });
  afterAll(async () => {
    await api?.stop();
    upstream.close();
  });

  it('names the busiest at once, with what they did', async () => {
    const { items, total } = await ask<UsageTop>('/usage/account');
    // Strangers and the public route: refused before a token was proven, or asked for none.
    const nobody = items.find(({ name }) => name === 'no account');
    expect(nobody).toMatchObject({ id: 'none', calls: 5, refused: 4 });
    expect((await ask<UsageSeries>('/usage/account/no%20account')).total.calls).toBe(5);
    const known = items.filter(({ id }) => id !== 'none');
    expect(
      known.map(({ trend, p50Ms, p99Ms, ...rest }) => ({
        ...rest,
        trend: trend.reduce((sum, count) => sum + count, 0),
        hasTimes: p50Ms !== null && p99Ms !== null && p50Ms <= p99Ms,
      })),
    ).toEqual([
      {
        ...{ id: busy.id, name: 'busy', missed: 0, calls: 7, refused: 0, trend: 7 },
        ...{ requestBytes: 8, responseBytes: 7 * SAID.length, hasTimes: true },
      },
      {
        ...{ id: quiet.id, name: 'quiet', missed: 0, calls: 3, refused: 3, trend: 3 },
        ...{ requestBytes: 0, responseBytes: expect.any(Number), hasTimes: true },
      },
    ]);
    expect(total).toMatchObject({ calls: 15, refused: 7 });
  });

  it('orders by what is asked for, and leaves out who has none of it', async () => {
    const names = async (query: string) =>
      (await ask<UsageTop>(`/usage/${query}`)).items.map(({ name, calls: count }) => [name, count]);
    expect(await names('account?by=refused')).toEqual([
      ['no account', 5],
      ['quiet', 3],
    ]);
    expect((await names('account?by=bytes'))[0]).toEqual(['busy', 7]);
    expect(await names('account?by=p99&limit=1')).toHaveLength(1);
    expect(await names('application')).toEqual([
      ['CRM', 8],
      ['HR', 2],
    ]);
    // Strangers count where they knocked, and name nothing.
    expect(await names('route')).toEqual([
      ['apps', 11],
      ['secrets', 3],
      ['public', 1],
    ]);
  });

  it('tells one of them step by step, by name or by id, and gone ones by what they were', async () => {
    const series = await ask<UsageSeries>('/usage/account/busy');
    expect(series).toMatchObject({ of: 'account', name: 'busy', step: 'minute' });
    expect(series.items.length).toBeGreaterThanOrEqual(60);
    expect(series.total).toMatchObject({ calls: 7, requestBytes: 8 });
    const sum = series.items.reduce((all, { calls: count }) => all + count, 0);
    expect(sum).toBe(7);
    const since = new Date(Date.now() - 90 * 86_400_000).toISOString();
    const hours = await ask<UsageSeries>(`/usage/account/${busy.id}?since=${since}`);
    expect([hours.step, hours.total.calls]).toEqual(['hour', 7]);
    expect(hours.items.length).toBeLessThanOrEqual(90 * 24 + 1);
    expect((await ask<UsageSeries>('/usage/application/CRM')).total).toMatchObject({
      ...{ calls: 8, refused: 3 },
    });
    expect((await ask<UsageSeries>('/usage/route/none')).total.calls).toBe(0);
    await api.call('DELETE', `/service-accounts/${quiet.id}`);
    expect((await ask<UsageSeries>('/usage/account/quiet')).total.calls).toBe(3);
  });

  it('is a table for spreadsheets too', async () => {
    const csv = (path: string) =>
      api.call('GET', path, { token: reader, headers: { accept: 'text/csv' } });
    const top = (await csv('/usage/account')).text.split('\r\n');
    expect(top[0]).toBe('name,id,calls,missed,refused,requestBytes,responseBytes,p50Ms,p99Ms');
    expect(top[1]).toMatch(new RegExp(`^busy,${busy.id},7,0,0,8,7000,`));
    const series = (await csv('/usage/account/busy')).text.split('\r\n');
    expect(series[0]).toMatch(/^from,calls,/);
    expect(series.filter((line) => /^[^,]+,7,0,0,8,7000,/.test(line)).length).toBeLessThan(2);
  });

  it('is for who may read the activity, and for nobody else', async () => {
    const { token } = await api.test.createAccount({ name: 'a-lister', role: 'lister' });
    for (const path of ['/usage/account', '/usage/account/busy', '/usage/route'])
      expect((await api.call('GET', path, { token })).status).toBe(403);
    expect((await api.call('GET', '/usage/account', { token: null })).status).toBe(401);
  });

  it('is told before an account is shut out, with the calls that are under way', async () => {
    const begun = once(slow, 'asked');
    const open = calls(busy.token, '/apps/slow', 1);
    const [answer] = (await begun) as [ServerResponse];
    const asked = { operation: 'deactivateAccount', input: { name: 'busy', kind: 'service' } };
    const { body } = await api.call('POST', '/preview', { body: asked });
    expect(body).toMatchObject({ losers: [{ name: 'busy', underWay: 1 }] });
    answer.end();
    await open;
  });

  it.each([
    ['/usage/people', 404],
    ['/usage/account?limit=0', 422],
    ['/usage/account?by=name', 422],
    ['/usage/account?since=yesterday', 422],
    ['/usage/account?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z', 422],
    ['/usage/account?step=minute&since=2020-01-01T00:00:00Z', 422],
  ])('says what is wrong with %s', async (path, status) => {
    const answer = await api.call('GET', path, { token: reader });
    expect([answer.status, answer.text]).toEqual([status, expect.stringContaining('detail')]);
  });
});
