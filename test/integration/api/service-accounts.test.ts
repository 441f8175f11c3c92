import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiBench, openApi } from './api.ts';

describe('service accounts over the API', () => {
  let api: ApiBench;
  beforeAll(async () => {
    api = await openApi();
  });
  afterAll(() => api.stop());

  it('creates an account and shows its token once', async () => {
    const made = await api.call('POST', '/service-accounts', { body: { name: 'ci', role: 'tester', description: 'Builds' } });
    expect(made.status).toBe(201);
    const { account, token } = made.body as { account: { id: string; version: number }; token: string };
    expect(token).toMatch(/^slp_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/);
    expect(made.headers.etag).toBe(`"${account.version}"`);
    const shown = await api.call('GET', `/service-accounts/${account.id}`);
    expect(shown.status).toBe(200);
    expect(shown.text).not.toContain('slp_');
    expect(shown.body).toMatchObject({ account: { name: 'ci', role: 'tester', description: 'Builds', status: 'active' } });
  });
});
