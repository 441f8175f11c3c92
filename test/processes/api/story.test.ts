import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiBench, openApi } from '../../support/api/api.ts';
import { type Driver, httpDriver, shellDriver } from '../../support/api/drivers.ts';

/**
 * One story, told through the API itself and through the command line both ways: what holds here
 * holds there.
 */
describe('the same story', () => {
  let api: ApiBench;
  beforeAll(async () => {
    api = await openApi();
  });
  afterAll(() => api.stop());

  it.each<[string, string, (api: ApiBench) => Driver]>([
    ['over the API', 'raw', httpDriver],
    ['on the command line with --config', 'store', (bench) => shellDriver(bench, '--config')],
    ['on the command line with --server', 'remote', (bench) => shellDriver(bench, '--server')],
  ])(
    '%s',
    async (_how, prefix, driverOf) => {
      const driver = driverOf(api);
      const [ci, team, role, app] = [
        `${prefix}-ci`,
        `${prefix}-team`,
        `${prefix}-role`,
        `${prefix}-App`,
      ];
      try {
        await tell(driver, { ci, team, role, app });
      } finally {
        driver.close();
      }
    },
    120_000,
  );
});

interface Names {
  readonly ci: string;
  readonly team: string;
  readonly role: string;
  readonly app: string;
}

async function tell(driver: Driver, { ci, team, role, app }: Names): Promise<void> {
  const made = [
    await driver.createRole(role, ['test:read', 'deployments:*']),
    await driver.createTeam(team, [app]),
    await driver.createAccount(ci, team, role),
  ];
  expect(made.map(({ said }) => said)).toEqual(['done', 'done', 'done']);
  const { token: first } = made[2]!.answer as { token?: string };
  expect(first).toMatch(/^slp_/);
  expect((await driver.createAccount(ci, team, role)).said).toBe('refused');

  expect((await driver.show(ci)).answer).toMatchObject({
    account: {
      name: ci,
      role: 'none',
      status: 'active',
      description: 'As the story has it',
      teams: [{ team, role }],
      grants: [],
    },
  });
  expect((await driver.list()).answer).toMatchObject({
    accounts: expect.arrayContaining([expect.objectContaining({ name: ci })]),
  });
  const question = [ci, 'GET', '/any'] as const;
  expect((await driver.explain(...question)).answer).toMatchObject({
    allowed: false,
    reason: 'permission-denied',
    role: 'none',
  });
  const { items } = (await driver.whoCan('get', '/any')).answer as unknown as {
    items: { account: string }[];
  };
  expect(items).toContainEqual(
    expect.objectContaining({ account: 'administrator-account', role: 'administrator' }),
  );
  expect(items.map(({ account }) => account)).not.toContain(ci);

  const rotated = (await driver.rotate(ci)).answer as { token?: string; revocation?: object };
  expect(rotated.token).toMatch(/^slp_/);
  expect(rotated.token).not.toBe(first);
  expect(rotated.revocation).toMatchObject({ effective: true, instances: 1, certainAt: null });

  expect((await driver.grant(ci, app, 'none')).answer).toMatchObject({
    changed: true,
    account: { grants: [{ application: app, role: 'none' }] },
  });
  expect((await driver.revoke(ci, app)).answer).toMatchObject({
    changed: true,
    account: { grants: [] },
  });
  expect((await driver.revoke(ci, app)).said).toBe('refused');
  expect((await driver.stand(ci, 'inactive')).answer).toMatchObject({
    account: { status: 'inactive' },
    revocation: {},
  });
  expect((await driver.explain(...question)).answer).toMatchObject({
    allowed: false,
    reason: 'account-inactive',
  });
  expect((await driver.stand(ci, 'active')).answer).toMatchObject({
    account: { status: 'active' },
  });

  expect(await driver.activity(ci)).toEqual([
    'account-created',
    'token-rotated',
    'account-changed',
    'account-changed',
    'account-deactivated',
    'account-activated',
  ]);
  expect((await driver.instances()).answer).toMatchObject({
    items: [expect.objectContaining({ lag: expect.any(Number) })],
  });
  expect((await driver.remove(ci)).said).toBe('done');
  expect((await driver.show(ci)).said).toBe('refused');
}
