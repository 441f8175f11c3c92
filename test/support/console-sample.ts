import { randomUUID } from 'node:crypto';
import { DURATION_BOUNDS, OVERHEAD_BOUNDS } from '../../src/telemetry/request-meter.ts';
import { operator, type TestConsole } from './console.ts';
import { fillUsage } from './console-usage.ts';

const DAY_MS = 86_400_000;

/** A registry, a log and counts as a busy day leaves them, for looking at pages. */
export async function fillConsole(test: TestConsole): Promise<void> {
  const { administration: admin } = test;
  test.setBack(211 * DAY_MS);
  await admin.createRole(operator, {
    name: 'viewer',
    description: 'May look at everything and change nothing',
    permissions: ['environments:read', 'applications:read', 'deployments:read'],
  });
  await admin.createRole(operator, {
    name: 'deployer',
    description: 'May look, make versions and deploy',
    permissions: ['environments:read', 'applications:*', 'deployments:*'],
  });
  await admin.createRole(operator, {
    name: 'account-manager',
    description: 'Looks after the accounts of the deployment teams',
    permissions: [
      'sallyport:registry:read',
      'sallyport:registry:write',
      'sallyport:activity:read',
      'deployments:read',
    ],
  });
  await admin.createTeam(operator, {
    name: 'customer-apps',
    description: 'What customers see',
    applications: ['CRM', 'Portal', 'Storefront'],
  });
  await admin.createTeam(operator, {
    name: 'finance-apps',
    description: 'What the auditors see',
    applications: ['Billing', 'Ledger'],
  });
  await test.createUser('ada', 'administrator');
  await test.createUser('grace', 'account-manager');
  const soon = new Date(Date.now() + 12 * 86_400_000).toISOString();
  test.setBack(64 * DAY_MS);
  const ci = await admin.createServiceAccount(operator, {
    name: 'ci-pipeline',
    role: 'viewer',
    description: 'Builds and deploys what customers see',
    teams: [{ team: 'customer-apps', role: 'deployer' }],
  });
  await admin.grantRole(operator, { name: 'ci-pipeline', application: 'Ledger', role: 'none' });
  test.setBack(190 * DAY_MS);
  await admin.createServiceAccount(operator, {
    name: 'status-board',
    role: 'viewer',
    description: 'The screen in the hallway',
  });
  await admin.createServiceAccount(operator, {
    name: 'nightly-report',
    role: 'viewer',
    description: 'Counts deployments at night',
    expiresAt: soon,
  });
  test.setBack(20 * DAY_MS);
  await admin.createServiceAccount(operator, {
    name: 'backup-agent',
    role: 'none',
    description: 'Copies packages away',
  });
  await admin.createServiceAccount(operator, {
    name: 'billing-release',
    role: 'viewer',
    description: 'Releases of the finance team',
    teams: [{ team: 'finance-apps', role: 'deployer' }],
  });
  test.setBack(2 * DAY_MS);
  await admin.deactivateAccount(operator, { name: 'backup-agent' });
  test.setBack(0);
  const nowMs = Date.now();
  await test.used('ci-pipeline', nowMs - 45_000, '10.20.4.17');
  await test.used('billing-release', nowMs - 5 * 3_600_000, '10.20.4.18');
  await test.used('nightly-report', nowMs - 9 * 3_600_000, '10.20.7.2');
  await recordCalls(test, ci.account.id);
  await countADay(test);
  const callers = ['ci-pipeline', 'billing-release', 'nightly-report', 'status-board'];
  await fillUsage(test, callers, 24 * 60);
}

async function recordCalls(test: TestConsole, id: string): Promise<void> {
  const account = { id, name: 'ci-pipeline', kind: 'service' };
  const api = '/lifetimeapi/rest/v2';
  const calls = [
    {
      method: 'GET',
      path: `${api}/environments`,
      permission: 'environments:read',
      role: 'viewer',
      status: 200,
      ms: 3.4,
    },
    {
      method: 'POST',
      path: `${api}/applications/CRM/deployments`,
      permission: 'deployments:write',
      role: 'deployer',
      application: 'CRM',
      status: 202,
      ms: 41.7,
    },
    {
      method: 'GET',
      path: `${api}/deployments/4711/status`,
      permission: 'deployments:read',
      role: 'viewer',
      status: 200,
      ms: 2.9,
    },
    {
      method: 'POST',
      path: `${api}/applications/Billing/deployments`,
      permission: 'deployments:write',
      role: 'viewer',
      application: 'Billing',
      refused: 'permission-denied',
      status: 403,
      ms: 0.2,
    },
    {
      method: 'GET',
      path: `${api}/deployments/4711/status`,
      permission: 'deployments:read',
      role: 'viewer',
      status: 200,
      ms: 3.1,
    },
  ];
  const startMs = Date.now() - calls.length * 21_000;
  for (const [index, { refused, ms, status, ...call }] of calls.entries()) {
    const requestId = randomUUID();
    const at = startMs + index * 20_000;
    const common = { id: requestId, type: 'call', instance: 'edge-a-1f0c', requestId };
    await test.record(
      {
        ...common,
        time: new Date(at).toISOString(),
        phase: 'decision',
        account,
        ...(refused === undefined
          ? { decision: 'permit', reason: 'permitted' }
          : { decision: 'refusal', reason: refused, status }),
        route: 'deployments',
        ...call,
        clientAddress: '10.20.4.17',
        userAgent: 'python-requests/2.28.1',
      },
      id,
    );
    if (refused !== undefined) continue;
    await test.record(
      {
        ...common,
        time: new Date(at + ms).toISOString(),
        phase: 'outcome',
        account,
        reason: 'permitted',
        status,
        durationMs: ms,
      },
      id,
    );
  }
  const requestId = randomUUID();
  await test.record({
    ...{ id: requestId, requestId },
    time: new Date().toISOString(),
    type: 'call',
    phase: 'decision',
    instance: 'edge-a-1f0c',
    account: null,
    decision: 'refusal',
    reason: 'token-missing',
    method: 'GET',
    path: '/',
    status: 401,
    clientAddress: '203.0.113.9',
    userAgent: 'curl/8.11.1',
  });
}

/** The same day each time: waves of calls, a few refusals, and one bad quarter of an hour. */
async function countADay(test: TestConsole): Promise<void> {
  const last = Math.floor(Date.now() / 60_000);
  for (let back = 0; back < 24 * 60; back += 1) {
    const minute = last - back;
    const wave = 1 + Math.sin(back / 9) * 0.5 + Math.sin(back / 171) * 0.4;
    const calls = Math.round(140 * wave + ((back * 37) % 23));
    const isBad = back > 20 && back < 32;
    const durations = spread(
      DURATION_BOUNDS.length + 1,
      calls,
      isBad ? [0, 0, 0, 1, 3, 5, 4, 3, 1] : [0, 2, 6, 4, 2, 1, 1],
    );
    const overheads = spread(OVERHEAD_BOUNDS.length + 1, calls, [1, 6, 5, 2, 1]);
    const reasons = {
      permitted: Math.round(calls * 0.96),
      'permission-denied': Math.round(calls * 0.02),
      'token-revoked': back % 7 === 0 ? 4 : 1,
      'token-missing': 1,
      ...(isBad ? { 'upstream-timeout': 9 } : {}),
    };
    await test.stats.write({
      minute,
      instance: 'edge-a-1f0c',
      counts: { reasons, durations, overheads },
    });
  }
}

function spread(length: number, total: number, weights: readonly number[]): number[] {
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  return Array.from({ length }, (_, index) => Math.round((total * (weights[index] ?? 0)) / all));
}
