import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseToken, tokenDigest } from '../../../src/account/token.ts';
import { type Bench, changesOf, NOW_MS, openBench, owner, refusal, STORES } from './stores.ts';

describe.each(STORES)('administration over the %s store', (kind) => {
  let bench: Bench | null;
  /** Names are per test, so that one store serves them all. */
  let n = 0;
  let name = '';

  beforeAll(async () => {
    bench = await openBench(kind);
    await bench?.admin.createRole(owner, { name: 'viewer', permissions: ['deployments:read'] });
    await bench?.admin.createRole(owner, { name: 'deployer', permissions: ['deployments:*'] });
    await bench?.admin.createTeam(owner, { name: 'payments', applications: ['Billing', 'Ledger'] });
  });
  afterAll(() => bench?.close());
  beforeEach((ctx) => {
    if (bench === null) ctx.skip('redis-server is not installed');
    n += 1;
    name = `account-${n}`;
    if (bench !== null) bench.clock.ms = NOW_MS + n * 1000;
  });

  it('creates an account that can be shown, and hands out its token once', async () => {
    const { admin, store } = bench!;
    const { account, token } = await admin.createServiceAccount(owner, {
      name,
      role: 'viewer',
      description: ' Nightly  builds ',
      teams: [{ team: 'payments', role: 'deployer' }],
    });
    expect(parseToken(token)).toBe(account.id);
    const stored = (await store.account(account.id)).account!;
    expect(stored.token?.digest).toBe(tokenDigest(token));
    expect(account).toEqual(await admin.showAccount(owner, { name }));
    expect(account).toMatchObject({
      kind: 'service',
      status: 'active',
      description: 'Nightly  builds',
      version: stored.version,
    });
    expect(JSON.stringify([account, await changesOf(store, account.id)])).not.toContain(
      token.slice(17),
    );
  });

  it('says from where an account is let in, and beside which certificate', async () => {
    const { admin, store } = bench!;
    const thumbprint = Buffer.alloc(32, 7).toString('base64url');
    const made = await admin.createServiceAccount(owner, {
      name,
      role: 'viewer',
      allowedNetworks: ['192.0.2.7', '10.0.0.0/8', '::ffff:192.0.2.7'],
    });
    expect(made.account).toMatchObject({
      allowedNetworks: ['10.0.0.0/8', '192.0.2.7'],
      boundTo: null,
    });
    const colons = Buffer.alloc(32, 7)
      .toString('hex')
      .replace(/(..)(?!$)/g, '$1:');
    const bound = await admin.editAccount(owner, { name, boundTo: { thumbprint: colons } });
    expect(bound.account).toMatchObject({
      allowedNetworks: ['10.0.0.0/8', '192.0.2.7'],
      boundTo: { thumbprint },
    });
    // Both take something away, and whoever asks is told once that is in force.
    expect(bound.revocation).toMatchObject({ effective: true });
    const again = await admin.editAccount(owner, { name, boundTo: { thumbprint } });
    expect(again).toMatchObject({ changed: false });
    expect((await store.account(made.account.id)).account).toMatchObject({
      allowedNetworks: ['10.0.0.0/8', '192.0.2.7'],
      boundTo: { thumbprint },
    });
    await admin.rotateToken(owner, { name });
    expect(await admin.showAccount(owner, { name })).toMatchObject({ boundTo: { thumbprint } });
    const cleared = await admin.editAccount(owner, { name, allowedNetworks: [], boundTo: null });
    expect(cleared.account).toMatchObject({ allowedNetworks: [], boundTo: null });
    expect((await store.account(made.account.id)).account).not.toHaveProperty('boundTo');
  });

  it('takes off what a declaration does not name, and lets no user be bound', async () => {
    const { admin } = bench!;
    const declare = (more: object) =>
      admin.declareServiceAccount(owner, { name, role: 'viewer', ...more });
    const restricted = { allowedNetworks: ['10.0.0.0/8'], boundTo: { subject: 'cn=ci' } };
    expect((await declare(restricted)).account).toMatchObject({ boundTo: { subject: 'CN=ci' } });
    expect((await declare(restricted)).outcome).toBe('unchanged');
    const open = await declare({});
    expect(open).toMatchObject({ outcome: 'changed', revocation: { effective: true } });
    expect(open.account).toMatchObject({ allowedNetworks: [], boundTo: null });
    await admin.createUser(owner, {
      name: `${name}-u`,
      role: 'viewer',
      password: 'correct horse 1',
    });
    const user = admin.editAccount(owner, { name: `${name}-u`, allowedNetworks: ['10.0.0.0/8'] });
    expect(await refusal(user)).toMatchObject({ code: 'invalid' });
  });

  it('records each change with its actor and what was before and after', async () => {
    const { admin, store } = bench!;
    const { account } = await admin.createServiceAccount(owner, { name, role: 'viewer' });
    await admin.editAccount(owner, { name, description: 'new' });
    await admin.rotateToken(owner, { name });
    await admin.deactivateAccount(owner, { id: account.id });
    await admin.deleteAccount(owner, { name });
    const events = await changesOf(store, account.id);
    expect(events.map(({ type }) => type)).toEqual([
      'account-created',
      'account-changed',
      'token-rotated',
      'account-deactivated',
      'account-deleted',
    ]);
    expect(events[1]).toMatchObject({
      phase: 'change',
      actor: { id: null, name: 'tester', kind: 'operator', via: 'command-line' },
      target: { kind: 'account', id: account.id, name },
      before: { description: '' },
      after: { description: 'new' },
    });
    expect(events[0]).toMatchObject({ before: null });
    expect(events[4]).toMatchObject({ after: null });
    expect(JSON.stringify(events)).not.toMatch(/digest|permissions":"store-owner/);
  });

  it('refuses a name that is taken, by a machine or by a person', async () => {
    const { admin } = bench!;
    await admin.createServiceAccount(owner, { name, role: 'viewer' });
    expect(
      await refusal(admin.createServiceAccount(owner, { name, role: 'viewer' })),
    ).toMatchObject({ code: 'name-taken' });
    const asUser = admin.createUser(owner, {
      name,
      role: 'viewer',
      password: 'correct horse battery',
    });
    expect(await refusal(asUser)).toMatchObject({ code: 'name-taken' });
  });

  it('frees the name of a deleted account and never its id', async () => {
    const { admin } = bench!;
    const first = await admin.createServiceAccount(owner, { name, role: 'viewer' });
    await admin.deleteAccount(owner, { name });
    expect(await refusal(admin.showAccount(owner, { name }))).toMatchObject({ code: 'not-found' });
    const second = await admin.createServiceAccount(owner, { name, role: 'viewer' });
    expect(second.account.id).not.toBe(first.account.id);
  });

  it('names all that is wrong with an input at once', async () => {
    const { admin, store } = bench!;
    const { seq } = await store.snapshot();
    const input = {
      name: 'no spaces',
      role: 'nobody',
      description: `\u0007${'x'.repeat(501)}`,
      expiresAt: '2020-01-01T00:00:00Z',
      teams: [{ team: 'missing', role: 'viewer' }],
      colour: 'red',
    };
    const error = await refusal(admin.createServiceAccount(owner, input as never));
    expect(error.code).toBe('invalid');
    expect(new Set(error.faults.map(({ field }) => field))).toEqual(
      new Set(['colour', 'name', 'role', 'description', 'expiresAt', 'teams[0].team']),
    );
    expect((await store.snapshot()).seq).toBe(seq);
  });

  it('keeps the last eight retired digests after many rotations, the newest first', async () => {
    const { admin, store } = bench!;
    const { account, token } = await admin.createServiceAccount(owner, { name, role: 'viewer' });
    const tokens = [token];
    for (let i = 0; i < 10; i++) tokens.push((await admin.rotateToken(owner, { name })).token);
    const stored = (await store.account(account.id)).account!;
    expect(stored.token?.digest).toBe(tokenDigest(tokens[10]!));
    expect(stored.retired).toEqual(tokens.slice(2, 10).reverse().map(tokenDigest));
    expect(new Set(tokens).size).toBe(11);
  });

  it('writes nothing when everything is as asked already', async () => {
    const { admin, store } = bench!;
    await admin.createServiceAccount(owner, { name, role: 'viewer' });
    const { seq } = await store.snapshot();
    expect(await admin.activateAccount(owner, { name })).toMatchObject({
      changed: false,
      account: { status: 'active' },
    });
    expect(await admin.editAccount(owner, { name, role: 'viewer' })).toMatchObject({
      changed: false,
    });
    expect((await store.snapshot()).seq).toBe(seq);
    expect(await admin.deactivateAccount(owner, { name })).toMatchObject({
      changed: true,
      account: { status: 'inactive' },
    });
  });

  it('sets, shows and clears an expiry', async () => {
    const { admin } = bench!;
    await admin.createServiceAccount(owner, {
      name,
      role: 'viewer',
      expiresAt: '2026-06-01T12:00:00+02:00',
    });
    expect(await admin.showAccount(owner, { name })).toMatchObject({
      expiresAt: '2026-06-01T10:00:00.000Z',
      expired: false,
    });
    bench!.clock.ms = Date.parse('2026-06-01T10:00:00Z');
    expect(await admin.showAccount(owner, { name })).toMatchObject({ expired: true });
    const edited = await admin.editAccount(owner, { name, expiresAt: null });
    expect(edited.account).toMatchObject({ expiresAt: null, expired: false });
    const past = admin.editAccount(owner, { name, expiresAt: '2026-05-01T00:00:00Z' });
    expect(await refusal(past)).toMatchObject({ code: 'invalid' });
  });

  it('joins and leaves teams, grants and revokes, each in one place only', async () => {
    const { admin } = bench!;
    await admin.createServiceAccount(owner, { name, role: 'none' });
    await admin.joinTeam(owner, { name, team: 'payments', role: 'viewer' });
    const joined = await admin.joinTeam(owner, { name, team: 'payments', role: 'deployer' });
    expect(joined.account.teams).toEqual([{ team: 'payments', role: 'deployer' }]);
    await admin.grantRole(owner, { name, application: 'Billing', role: 'deployer' });
    const granted = await admin.grantRole(owner, { name, application: 'Billing', role: 'viewer' });
    expect(granted.account.grants).toEqual([{ application: 'Billing', role: 'viewer' }]);
    expect((await admin.showTeam(owner, { name: 'payments' })).members).toContainEqual({
      id: expect.any(String),
      account: name,
      kind: 'service',
      role: 'deployer',
    });
    await admin.revokeGrant(owner, { name, application: 'Billing' });
    const left = await admin.leaveTeam(owner, { name, team: 'payments' });
    expect(left.account).toMatchObject({ teams: [], grants: [] });
    expect(await refusal(admin.leaveTeam(owner, { name, team: 'payments' }))).toMatchObject({
      code: 'not-found',
    });
    expect(await refusal(admin.revokeGrant(owner, { name, application: 'Billing' }))).toMatchObject(
      { code: 'not-found' },
    );
  });

  it('refuses to delete a role or team in use, says who uses it, and deletes it afterwards', async () => {
    const { admin } = bench!;
    const role = `role-${n}`;
    const team = `team-${n}`;
    await admin.createRole(owner, { name: role, permissions: ['x:y'] });
    await admin.createTeam(owner, { name: team });
    await admin.createServiceAccount(owner, { name, role: 'none', teams: [{ team, role }] });
    await admin.grantRole(owner, { name, application: 'CRM', role });
    expect(await refusal(admin.deleteRole(owner, { name: role }))).toMatchObject({
      code: 'in-use',
      users: [name],
    });
    expect(await refusal(admin.deleteTeam(owner, { name: team }))).toMatchObject({
      code: 'in-use',
      users: [name],
    });
    await admin.leaveTeam(owner, { name, team });
    // The grant still uses the role, the team is free.
    expect(await refusal(admin.deleteRole(owner, { name: role }))).toMatchObject({
      code: 'in-use',
    });
    await admin.deleteTeam(owner, { name: team });
    await admin.revokeGrant(owner, { name, application: 'CRM' });
    await admin.deleteRole(owner, { name: role });
    expect(await refusal(admin.showRole(owner, { name: role }))).toMatchObject({
      code: 'not-found',
    });
  });

  it('lets an application belong to one team only, in whatever letter case', async () => {
    const { admin } = bench!;
    const team = `team-${n}`;
    const taken = await refusal(
      admin.createTeam(owner, { name: team, applications: ['Fresh', 'billing'] }),
    );
    expect(taken).toMatchObject({ code: 'name-taken' });
    expect(taken.message).toContain('payments');
    const twice = admin.createTeam(owner, { name: team, applications: ['Fresh', 'FRESH'] });
    expect(await refusal(twice)).toMatchObject({ code: 'invalid' });
    await admin.createTeam(owner, { name: team, applications: ['Fresh'] });
    await admin.editTeam(owner, {
      name: team,
      removeApplications: ['Fresh'],
      addApplications: ['Other'],
    });
    const other = await admin.createTeam(owner, { name: `${team}-b`, applications: ['fresh'] });
    expect(other.team.applications).toEqual(['fresh']);
  });

  it('protects the built-in and the seeded role', async () => {
    const { admin } = bench!;
    const faults = [
      admin.createRole(owner, { name: 'None', permissions: ['a:b'] }),
      admin.editRole(owner, { name: 'none', description: 'x' }),
      admin.deleteRole(owner, { name: 'none' }),
      admin.deleteRole(owner, { name: 'administrator' }),
      admin.editRole(owner, { name: 'administrator', permissions: ['a:b'] }),
    ];
    const codes = await Promise.all(faults.map(async (fault) => (await refusal(fault)).code));
    expect(codes).toEqual(['invalid', 'forbidden', 'forbidden', 'forbidden', 'forbidden']);
    expect((await admin.listRoles(owner, {})).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['none', 'administrator']),
    );
  });

  it('loses no update when many write the same account at once', async () => {
    const { admin } = bench!;
    await admin.createServiceAccount(owner, { name, role: 'none' });
    const applications = Array.from({ length: 6 }, (_, i) => `App-${i}`);
    await Promise.all(
      applications.map((application) =>
        admin.grantRole(owner, { name, application, role: 'viewer' }),
      ),
    );
    const account = await admin.showAccount(owner, { name });
    expect(account.grants.map(({ application }) => application)).toEqual(applications);
  });

  it('lets one of two creations of the same name win', async () => {
    const { admin } = bench!;
    const results = await Promise.allSettled(
      [1, 2, 3].map(() => admin.createServiceAccount(owner, { name, role: 'viewer' })),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'name-taken' });
  });

  it('lists each account once, page by page, and by kind', async () => {
    const { admin } = bench!;
    const made = Array.from({ length: 7 }, (_, i) => `${name}-${i}`);
    for (const one of made) await admin.createServiceAccount(owner, { name: one, role: 'none' });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await admin.listAccounts(owner, { kind: 'service', cursor, limit: 3 });
      seen.push(...page.items.map((account) => account.name));
      cursor = page.next;
    } while (cursor !== null);
    expect(seen.filter((one) => one.startsWith(`${name}-`)).sort()).toEqual(made);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('keeps people and machines apart', async () => {
    const { admin, store } = bench!;
    const { account } = await admin.createUser(owner, {
      name,
      role: 'administrator',
      password: 'correct horse battery',
    });
    expect((await store.account(account.id)).account?.password).toMatch(/^\$scrypt\$/);
    expect(JSON.stringify([account, await changesOf(store, account.id)])).not.toMatch(
      /scrypt|correct horse/,
    );
    expect(await refusal(admin.rotateToken(owner, { name }))).toMatchObject({ code: 'invalid' });
    expect(await refusal(admin.deleteAccount(owner, { name, kind: 'service' }))).toMatchObject({
      code: 'not-found',
    });
    const same = admin.setPassword(owner, { name, password: 'correct horse battery' });
    expect(await refusal(same)).toMatchObject({ code: 'invalid' });
    await admin.setPassword(owner, { name, password: 'another horse battery' });
    expect((await changesOf(store, account.id)).map(({ type }) => type)).toEqual([
      'account-created',
      'password-set',
    ]);
    const weak = admin.createUser(owner, { name: `${name}-b`, role: 'none', password: 'short' });
    expect((await refusal(weak)).faults.map(({ field }) => field)).toEqual(['password']);
  });
});
