import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Administration } from '../../src/admin/administration.ts';
import type { AdminError } from '../../src/admin/error.ts';
import { connectOwner } from '../../src/admin/owner-client.ts';
import { connectServer } from '../../src/admin/remote/server-control.ts';
import { parseConfig } from '../../src/config/load.ts';
import { Browser, PASSWORD } from '../support/console.ts';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';

const WAIVED = { withoutApproval: true };
const HOUR_MS = 3_600_000;

describe('a change to a protected role, at a gate', () => {
  let gate: TestGateway;
  let ends: (() => void | Promise<void>)[] = [];
  const tokens: Record<string, string> = {};
  let n = 0;
  let name = '';

  beforeAll(async () => {
    gate = await startGateway({
      upstreams: { nowhere: { addresses: ['http://127.0.0.1:9'] } },
      admin: {},
      config: { console: { approvals: { roles: ['administrator', 'release'] } } },
    });
    await waived('createRole', { name: 'release', permissions: ['releases:*'] });
    for (const who of ['ada', 'grace']) {
      const made = await waived('createServiceAccount', { name: who, role: 'administrator' });
      tokens[who] = (made as { token: string }).token;
    }
    await waived('createUser', { name: 'hedy', role: 'administrator', password: PASSWORD });
  });
  afterAll(async () => {
    for (const end of ends) await end();
    ends = [];
    await gate.stop();
  });
  beforeEach(async () => {
    n += 1;
    name = `ci-${n}`;
    await gate.createAccount({ name, role: 'tester' });
  });

  const waived = (operation: keyof Administration, input: object): Promise<unknown> =>
    gate.administration[operation](owner, { ...input, ...WAIVED } as never);

  function server(who: string): Administration {
    const { port } = gate.gateway.addresses.admin!;
    const ca = readFileSync(gate.caFile, 'utf8');
    const url = new URL(`https://localhost:${port}`);
    const { control, close } = connectServer({ url, ca, token: tokens[who]! });
    ends.push(close);
    return control.administration;
  }

  async function socket(): Promise<Administration> {
    const reached = (await connectOwner(gate.dataDir))!;
    ends.push(() => reached.close());
    return reached.control.administration;
  }

  async function waits(change: Promise<unknown>): Promise<string> {
    const error = await change.then(
      () => null,
      (fault: AdminError) => fault,
    );
    expect(error).toMatchObject({ code: 'awaits-approval' });
    return error!.approval!;
  }

  const roleOf = async (who = name) =>
    (await gate.administration.showAccount(owner, { name: who })).role;

  it('waits, whichever way it comes, and is made when somebody else approves it', async () => {
    const ways: readonly [string, () => Promise<string>][] = [
      [
        'the API',
        () => waits(server('ada').editAccount(owner, { name, kind: 'service', role: 'release' })),
      ],
      [
        'the owner’s socket',
        async () => waits((await socket()).editAccount(owner, { name, role: 'release' })),
      ],
      [
        'the gate itself',
        () => waits(gate.administration.editAccount(owner, { name, role: 'release' })),
      ],
      [
        'a bulk change',
        async () => {
          const { id } = await gate.administration.showAccount(owner, { name });
          return waits(
            server('ada').changeAccounts(owner, { kind: 'service', ids: [id], role: 'release' }),
          );
        },
      ],
      [
        'the console',
        async () => {
          const browser = new Browser(gate.gateway.addresses.admin!.port);
          await browser.signIn('hedy', PASSWORD);
          const page = `/service-accounts/${name}/edit`;
          const answer = await browser.submit(page, page, { role: 'release' });
          // Something is lost by it, and that is shown first.
          expect(answer.text).toContain('It concerns the protected role release');
          const seen = await browser.submit(page, page, { role: 'release', seen: 'yes' });
          expect(seen.headers.location).toMatch(/^\/approvals\/[0-9a-f]{12}\?done=proposed$/);
          const { approvals } = await gate.administration.listApprovals(owner, {});
          return approvals.at(-1)!.id;
        },
      ],
    ];
    for (const [way, propose] of ways) {
      const approval = await propose();
      expect([way, await roleOf()]).toEqual([way, 'tester']);
      const told = await server('grace').approveChange(owner, { approval });
      expect([way, told.approval.id, await roleOf()]).toEqual([way, approval, 'release']);
      await waived('editAccount', { name, role: 'tester' });
    }
  });

  it('waits where a declaration makes it, as a whole', async () => {
    const declared = {
      roles: [
        { name: `new-${n}`, permissions: ['a:b'], description: '' },
        { name: 'release', permissions: ['releases:read'], description: '' },
      ],
      teams: [],
    };
    const approval = await waits(server('ada').applyDeclaration(owner, declared));
    const roles = async () =>
      (await gate.administration.listRoles(owner, {})).map((role) => role.name);
    expect(await roles()).not.toContain(`new-${n}`);
    await server('grace').approveChange(owner, { approval });
    expect(await roles()).toContain(`new-${n}`);
    await waived('editRole', { name: 'release', permissions: ['releases:*'] });
  });

  it('is made without approval by nobody over the API', async () => {
    const asked = { name, kind: 'service', role: 'release', ...WAIVED } as never;
    await expect(server('ada').editAccount(owner, asked)).rejects.toThrow('--config');
    const { port } = gate.gateway.addresses.admin!;
    expect(port).toBeGreaterThan(0);
    expect(await roleOf()).toBe('tester');
  });

  it('tells over the API what waits, without what was asked, and to nobody who may not look', async () => {
    const approval = await waits(
      server('ada').editAccount(owner, { name, kind: 'service', role: 'release' }),
    );
    const { approval: shown } = await server('grace').showApproval(owner, { approval });
    expect(shown).toMatchObject({ operation: 'editAccount', changes: [{ name }] });
    expect(shown).not.toHaveProperty('input');
    expect(JSON.stringify(shown)).not.toMatch(/digest|password|retired/);
    tokens.nobody = (await gate.createAccount({ name: `no-${n}`, role: 'tester' })).token;
    await expect(server('nobody').listApprovals(owner, {})).rejects.toMatchObject({
      code: 'forbidden',
    });
    await expect(server('nobody').approveChange(owner, { approval })).rejects.toMatchObject({
      code: 'forbidden',
    });
    await server('ada').withdrawChange(owner, { approval });
    expect((await server('grace').listApprovals(owner, {})).approvals).toEqual([]);
  });

  it('is what the configuration says from the last reload on', async () => {
    const change = () => gate.administration.editAccount(owner, { name, role: 'release' });
    const { config } = parseConfig(gate.text, join(gate.dataDir, 'test.yaml'));
    const says = (approvals: object) =>
      gate.gateway.reload({
        ...config,
        console: { ...config.console, approvals: { ...config.console.approvals, ...approvals } },
      });
    says({ waitHours: 2 });
    const approval = await waits(change());
    const { approval: waiting } = await gate.administration.showApproval(owner, { approval });
    expect(Date.parse(waiting.expiresAt) - Date.parse(waiting.proposedAt)).toBe(2 * HOUR_MS);
    says({ roles: [] });
    await change();
    expect(await roleOf()).toBe('release');
    says({});
    await waits(gate.administration.deleteAccount(owner, { name }));
  });

  it('leaves a record that is whole, and that names both', async () => {
    const approval = await waits(
      server('ada').editAccount(owner, { name, kind: 'service', role: 'release' }),
    );
    await server('grace').approveChange(owner, { approval });
    const events = (await gate.events()).filter(
      (event) => (event.approval as { id?: string } | undefined)?.id === approval,
    );
    expect(
      events.map(({ type, actor, approval: by }) => [
        type,
        (actor as { name: string }).name,
        (by as { proposedBy: { name: string } }).proposedBy.name,
      ]),
    ).toEqual([
      ['change-proposed', 'ada', 'ada'],
      ['change-approved', 'grace', 'ada'],
      ['account-changed', 'grace', 'ada'],
    ]);
    const { findings, gaps } = await gate.control.verification.run(owner, {});
    expect({ findings, gaps }).toEqual({ findings: [], gaps: 0 });
  });
});
