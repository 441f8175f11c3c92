import type { Hono } from 'hono';
import { beforeEach, describe, expect, it } from 'vitest';
import { DeploymentBook, PACE } from '../../../src/sample/deployments.ts';
import { createSampleService } from '../../../src/sample/service.ts';

const BASE = '/lifetimeapi/rest/v2';

describe('the sample deployment service', () => {
  let app: Hono;
  let now = 0;

  beforeEach(() => {
    now = Date.parse('2026-05-04T10:00:00Z');
    app = createSampleService({ wallMs: () => now, monotonicMs: () => now });
  });

  async function call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ) {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const init = {
      method,
      headers: { 'x-account-name': 'ci', ...headers },
      ...(text === undefined ? {} : { body: text }),
    };
    const response = await app.request(BASE + path, init);
    const answer = await response.text();
    return { status: response.status, body: answer === '' ? null : JSON.parse(answer) };
  }

  const statusOf = async (key: string) =>
    (await call('GET', `/deployments/${key}/status`)).body.DeploymentStatus;

  async function plan(target: string): Promise<string> {
    const operations = [{ ApplicationVersionKey: 'CRM-1.2.0' }];
    const made = await call('POST', '/deployments', {
      TargetEnvironmentKey: target,
      ApplicationOperations: operations,
    });
    expect(made).toMatchObject({ status: 201, body: { Status: 'saved', CreatedBy: 'ci' } });
    return made.body.Key;
  }

  it('runs a started deployment to its end by time', async () => {
    const key = await plan('test');
    expect((await call('POST', `/deployments/${key}/start`)).status).toBe(202);
    expect(await statusOf(key)).toBe('running');
    now += 2 * PACE.halfMs;
    expect(await statusOf(key)).toBe('finished_successful');
    expect((await call('GET', `/deployments/${key}`)).body).toMatchObject({
      StartedBy: 'ci',
      Status: 'finished_successful',
    });
  });

  it('stops half-way to production until somebody continues it', async () => {
    const key = await plan('prod');
    await call('POST', `/deployments/${key}/start`);
    expect((await call('POST', `/deployments/${key}/continue`)).status).toBe(409);
    now += 100 * PACE.halfMs;
    expect(await statusOf(key)).toBe('needs_user_intervention');
    expect((await call('POST', `/deployments/${key}/continue`)).status).toBe(202);
    expect(await statusOf(key)).toBe('running');
    now += PACE.halfMs;
    expect(await statusOf(key)).toBe('finished_successful');
  });

  it('aborts what is not finished, and only that', async () => {
    const key = await plan('test');
    await call('POST', `/deployments/${key}/start`);
    expect((await call('POST', `/deployments/${key}/abort`)).status).toBe(202);
    expect(await statusOf(key)).toBe('aborting');
    now += PACE.abortMs;
    expect(await statusOf(key)).toBe('aborted');
    expect((await call('POST', `/deployments/${key}/start`)).status).toBe(409);
    expect((await call('DELETE', `/deployments/${key}`)).status).toBe(204);
  });

  it('deploys one application by its path, and no other through it', async () => {
    const made = await call('POST', '/applications/CRM/deployments');
    expect(made).toMatchObject({
      status: 201,
      body: { Status: 'running', Applications: ['CRM-1.2.0'] },
    });
    expect(
      (await call('POST', `/applications/Billing/deployments/${made.body.Key}/abort`)).status,
    ).toBe(404);
    expect(
      (await call('POST', `/applications/CRM/deployments/${made.body.Key}/abort`)).status,
    ).toBe(202);
  });

  it('takes paths in any letter case, with and without a slash at the end', async () => {
    const plain = await call('GET', '/applications/CRM/versions');
    expect(plain).toMatchObject({ status: 200 });
    expect(await call('GET', '/Applications/crm/VERSIONS/')).toEqual(plain);
  });

  it('answers 204 for a list of nothing', async () => {
    expect(await call('GET', '/deployments')).toEqual({ status: 204, body: null });
  });

  it('says no in the form of its kind', async () => {
    expect(await call('GET', '/nowhere')).toEqual({
      status: 404,
      body: { Errors: ['No such resource'], StatusCode: 404 },
    });
    for (const body of [
      '{',
      '[]',
      '',
      { TargetEnvironmentKey: 'moon' },
      { TargetEnvironmentKey: 'test', ApplicationOperations: [null] },
    ]) {
      expect(await call('POST', '/deployments', body)).toMatchObject({
        status: 400,
        body: { StatusCode: 400 },
      });
    }
    const huge = await call('POST', '/deployments', 'x'.repeat(100_000));
    expect(huge).toMatchObject({ status: 413, body: { StatusCode: 413 } });
  });

  it('takes a package, says what arrived, and refuses one in another form', async () => {
    const octets = { 'content-type': 'application/octet-stream' };
    const made = await call('POST', '/environments/test/deployment', 'x'.repeat(100_000), octets);
    expect(made.body.Package).toEqual({
      bytes: 100_000,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect((await call('POST', '/environments/test/deployment', '{}')).status).toBe(415);
  });

  it('makes links that lead through the gate again', async () => {
    const outside = { 'x-forwarded-host': 'deploy.example', 'x-forwarded-proto': 'https' };
    const { body } = await call(
      'GET',
      '/applications/CRM/versions/CRM-1.0.0/content',
      undefined,
      outside,
    );
    expect(body.url).toMatch(
      /^https:\/\/deploy\.example\/lifetimeapi\/rest\/v2\/downloads\/CRM\/CRM-1\.0\.0$/,
    );
  });

  it('keeps the newest deployments and lets the oldest go', () => {
    const book = new DeploymentBook();
    const facts = {
      applications: [],
      source: null,
      target: 'test',
      notes: '',
      createdBy: '',
      createdAtMs: 0,
      asksHalfWay: false,
    };
    const first = book.add(facts);
    for (let i = 0; i < DeploymentBook.LIMIT; i++) book.add(facts);
    expect(book.all()).toHaveLength(DeploymentBook.LIMIT);
    expect(book.find(first.key)).toBeNull();
  });
});
