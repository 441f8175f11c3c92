import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { exampleText } from '../../config/lifetime/example.ts';
import { startSample } from '../../src/sample/start.ts';
import {
  type GatewayOptions,
  owner,
  type RouteText,
  startGateway,
  type TestGateway,
} from '../support/gateway.ts';
import {
  type PipelineAnswer,
  PipelineClient,
  PipelineFailure,
  type Spelling,
} from '../support/lifetime/client.ts';
import { deploy, planOf } from '../support/lifetime/pipeline.ts';
import {
  BILLING,
  CRM,
  DEVELOPMENT,
  type LifetimeServer,
  PRODUCTION,
  startLifetime,
} from '../support/lifetime/server.ts';

/**
 * Pipelines that are in use in front of a LifeTime, through a gate with the routes of the example.
 */

interface Stage {
  readonly gate: TestGateway;
  readonly lifetime: LifetimeServer;
  readonly account: { readonly id: string; readonly token: string };
  client(spelling?: Spelling): PipelineClient;
}

const { routes, errors } = parse(exampleText()) as { routes: RouteText[]; errors: string };

let open: Stage[] = [];
afterEach(async () => {
  for (const { gate, lifetime } of open.splice(0)) {
    lifetime.mode = 'answer';
    await gate.stop();
    await lifetime.stop();
  }
});

async function openStage(
  upstream: Readonly<Record<string, unknown>> = {},
  options: Partial<GatewayOptions> = {},
): Promise<Stage> {
  const lifetime = await startLifetime();
  const gate = await startGateway({
    ...options,
    upstreams: { lifetime: { addresses: [lifetime.url], ...upstream } },
    routes,
    config: { errors, ...options.config },
  });
  const permissions = ['*'];
  await gate.administration.createRole(owner, { name: 'pipeline', description: '', permissions });
  const reader = ['applications:read', 'environments:*', 'deployments:read'];
  await gate.administration.createRole(owner, {
    name: 'reader',
    description: '',
    permissions: reader,
  });
  const account = await gate.createAccount({ name: 'pipeline', role: 'pipeline' });
  const ca = readFileSync(gate.caFile);
  const client = (spelling?: Spelling) => new PipelineClient(gate.url, ca, account.token, spelling);
  const stage = { gate, lifetime, account, client };
  open = [...open, stage];
  return stage;
}

/** JSON in LifeTime's own form, whatever the gate has to say. */
function expectError(answer: PipelineAnswer, status: number, text = /./): void {
  expect(answer.type).toBe('application/json');
  expect(answer.response).toEqual({
    Errors: [expect.stringMatching(text)],
    StatusCode: status,
  });
  expect(answer.status).toBe(status);
}

async function failureOf(run: Promise<unknown>): Promise<PipelineAnswer> {
  const error = await run.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof PipelineFailure) return error.answer;
  throw error ?? new Error('the pipeline went through');
}

describe('a pipeline', () => {
  it.each<Spelling>(['as-documented', 'slash', 'upper-case'])(
    'makes a deployment from first to last call, with paths %s',
    async (spelling) => {
      const { client, lifetime } = await openStage();
      const { polls } = await deploy(client(spelling), DEVELOPMENT);
      expect(polls).toBeGreaterThan(2);
      expect(new Set(lifetime.seen.map(({ account }) => account))).toEqual(new Set(['pipeline']));
    },
  );

  it('uploads a package, and deletes a plan that it does not want', async () => {
    const { client, lifetime } = await openStage();
    const pipeline = client();
    const content = Buffer.alloc(3_000_000, 'package');
    const made = await pipeline.upload(DEVELOPMENT, content);
    expect(made.status).toBe(201);
    expect(lifetime.packages[0]!.equals(content)).toBe(true);
    const key = String(made.response);
    expect((await pipeline.ask('DELETE', `deployments/${key}`)).status).toBe(204);
    expectError(await pipeline.ask('GET', `deployments/${key}`), 404, /No deployment found/);
  });

  it('fetches packages and source code by the links in answers, with the bare token', async () => {
    const { client } = await openStage();
    const pipeline = client();
    const of = `environments/${DEVELOPMENT}/applications/${CRM}`;
    await pipeline.expecting('source', pipeline.ask('POST', `${of}/sourcecodeaccess`), 200);
    await pipeline.expecting(
      'ready',
      pipeline.ask('GET', `${of}/sourcecodeaccess/pack-1/status`),
      200,
    );
    const solution = JSON.stringify({ SolutionName: 's', ApplicationKeys: [CRM] });
    await pipeline.expecting(
      'solution',
      pipeline.ask('POST', `environments/${DEVELOPMENT}/solution`, solution),
      200,
    );
    for (const path of [
      `${of}/content`,
      `${of}/sourcecodeaccess/pack-1/download`,
      `environments/${DEVELOPMENT}/solution/solution-1`,
    ]) {
      const link = await pipeline.expecting('link', pipeline.ask('GET', path), 200);
      const { url } = link.response as { url: string };
      const got = await pipeline.download(url);
      expect([got.status, got.body.toString()]).toEqual([200, expect.stringMatching(/^package /)]);
    }
  });

  it('sets properties, and gets nothing for an empty list', async () => {
    const { client } = await openStage();
    const pipeline = client();
    const path = `Modules/m-1/Environments/${DEVELOPMENT}/SiteProperties/p-1/Value/`;
    expect((await pipeline.setProperty(path, '"on"')).status).toBe(201);
    const none = await pipeline.ask('GET', 'deployments');
    expect([none.status, none.response]).toEqual([204, {}]);
  });

  it('exchanges its token in the middle of a deployment, and goes on with the new one', async () => {
    const { client } = await openStage();
    const pipeline = client();
    const former = pipeline.token;
    await deploy(pipeline, DEVELOPMENT, async (polls) => {
      if (polls !== 1) return;
      const body = JSON.stringify({ timePeriod: 3, unit: 'M' });
      const renewed = await pipeline.expecting(
        'renew',
        pipeline.ask('POST', 'auth/tokens', body),
        200,
      );
      const { token, expiresAt } = renewed.response as { token: string; expiresAt: string };
      expect(Number.isNaN(Date.parse(expiresAt))).toBe(false);
      pipeline.token = token;
    });
    pipeline.token = former;
    expectError(await pipeline.ask('GET', 'environments'), 401, /token-refused/);
  });
});

it('the links of the sample service lead where the example takes the bare token', async () => {
  const sample = await startSample();
  const { client } = await openStage({ addresses: [sample.url] });
  const pipeline = client();
  const link = await pipeline.ask('GET', 'applications/CRM/versions/CRM-1.0.0/content');
  const got = await pipeline.download((link.response as { url: string }).url);
  expect([got.status, got.body.toString().slice(0, 20)]).toEqual([200, 'package of CRM-1.0.0']);
  await sample.close();
});

describe('an account that lives by teams', () => {
  const LOW = ['environments:*', 'applications:read', 'deployments:read', 'deployments:run'];

  async function openTeams() {
    const stage = await openStage();
    const { administration } = stage.gate;
    const role = (name: string, permissions: readonly string[]) =>
      administration.createRole(owner, { name, description: '', permissions });
    await role('low', LOW);
    await role('deployer', [...LOW, 'versions:*', `deployments:${DEVELOPMENT}:write`]);
    await administration.createTeam(owner, { name: 'crm', description: '', applications: [CRM] });
    await administration.createTeam(owner, {
      name: 'billing',
      description: '',
      applications: [BILLING],
    });
    const { id } = stage.account;
    await administration.editAccount(owner, { id, role: 'low' });
    await administration.joinTeam(owner, { id, team: 'crm', role: 'deployer' });
    return stage;
  }

  it.each<Spelling>(['as-documented', 'upper-case'])(
    'deploys the applications of its team to the environment of its role, paths %s',
    async (spelling) => {
      const { client } = await openTeams();
      await deploy(client(spelling), DEVELOPMENT);
    },
  );

  it('deploys nothing else: no other application, environment, or plan that does not say', async () => {
    const { client, lifetime } = await openTeams();
    const pipeline = client();
    const plan = (text: string) => pipeline.ask('POST', 'deployments', text);
    for (const text of [
      planOf(PRODUCTION, [CRM]),
      planOf(DEVELOPMENT, [BILLING]),
      planOf(DEVELOPMENT, [CRM, BILLING]),
      planOf(DEVELOPMENT, [CRM, BILLING.toUpperCase()]),
    ])
      expectError(await plan(text), 403, /permission-denied/);
    const unsaid = planOf(DEVELOPMENT, []);
    const twice = planOf(DEVELOPMENT, [CRM]).replace('{', '{"applicationoperations":[],');
    for (const text of [unsaid, twice, '{}', 'ApplicationOperations=1']) {
      const answer = await plan(text);
      expectError(answer, answer.status);
      expect([400, 403]).toContain(answer.status);
    }
    expectError(await pipeline.upload(DEVELOPMENT, Buffer.from('x')), 403, /permission-denied/);
    expectError(await pipeline.ask('GET', 'users'), 403, /permission-denied/);
    expect(lifetime.seen).toEqual([]);
  });
});

describe('in the middle of a deployment', () => {
  const during = (client: PipelineClient, change: () => Promise<unknown>) =>
    failureOf(
      deploy(client, DEVELOPMENT, async (polls) => {
        if (polls === 1) await change();
      }),
    );

  it('a rotated account is told 401', async () => {
    const { client, gate, account } = await openStage();
    const answer = await during(client(), () =>
      gate.administration.rotateToken(owner, { id: account.id }),
    );
    expectError(answer, 401, /token-refused/);
  });

  it('a deactivated account is told 401', async () => {
    const { client, gate, account } = await openStage();
    const answer = await during(client(), () =>
      gate.administration.deactivateAccount(owner, { id: account.id }),
    );
    expectError(answer, 401, /token-refused/);
  });

  it('a lowered account is told 403 when it would go on, and may still look', async () => {
    const { client, gate, account, lifetime } = await openStage();
    const answer = await during(client(), () =>
      gate.administration.editAccount(owner, { id: account.id, role: 'reader' }),
    );
    expectError(answer, 403, /permission-denied/);
    expect(lifetime.seen.at(-1)!.call).toMatch(/\/status$/);
  });
});

describe('what such a client can parse', () => {
  it('is every refusal by the gate: 400, 401, 403, 404, 405, 429', async () => {
    const limits = { accountRate: { requests: 12, windowSeconds: 3600 } };
    const { client, gate, account, lifetime } = await openStage({}, { config: { limits } });
    const pipeline = client();
    expectError(
      await pipeline.ask('GET', `environments/${PRODUCTION}/dbconnections/My%2FConn`),
      400,
      /target-ambiguous/,
    );
    expectError(await pipeline.ask('GET', 'nothing/of/this'), 404, /route-unknown/);
    expectError(await pipeline.ask('DELETE', 'deployments'), 405, /method-refused/);
    await gate.administration.editAccount(owner, { id: account.id, role: 'reader' });
    expectError(await pipeline.ask('GET', 'users'), 403, /permission-denied/);
    expectError(
      await pipeline.ask('POST', 'deployments', planOf(DEVELOPMENT)),
      403,
      /permission-denied/,
    );
    const stranger = client();
    stranger.token = 'nobody';
    expectError(await stranger.ask('GET', 'environments'), 401, /token-refused/);
    let last = await pipeline.ask('GET', 'environments');
    for (let tries = 0; last.status === 200 && tries < 20; tries += 1)
      last = await pipeline.ask('GET', 'environments');
    expectError(last, 429, /rate-limited/);
    expect(
      lifetime.seen.every(({ call }) => call === 'GET /lifetimeapi/rest/v2/environments'),
    ).toBe(true);
  });

  it('is 502 and 504 when LifeTime breaks off, is gone or says nothing', async () => {
    const { client, lifetime } = await openStage({
      responseTimeoutMs: 300,
      connectTimeoutMs: 1000,
    });
    const pipeline = client();
    lifetime.mode = 'reset';
    expectError(
      await pipeline.ask('POST', 'deployments', planOf(DEVELOPMENT)),
      502,
      /upstream-broken/,
    );
    lifetime.mode = 'hang';
    expectError(await pipeline.ask('GET', 'environments'), 504, /upstream-timeout/);
    await lifetime.stop();
    expectError(await pipeline.ask('GET', 'environments'), 502, /upstream-unreachable/);
  });

  it('is 503 when the gate is full, and when it closes', async () => {
    const { client, lifetime, gate } = await openStage({ maxConnections: 1 });
    const pipeline = client();
    lifetime.mode = 'hang';
    const hanging = pipeline.ask('GET', 'environments');
    await expect.poll(() => lifetime.seen.length).toBe(1);
    expectError(await pipeline.ask('GET', 'environments'), 503, /overloaded/);
    const closing = gate.gateway.close({ lameDuck: false });
    expectError(await hanging, 503, /draining/);
    await closing;
  });
});
