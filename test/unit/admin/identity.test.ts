import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Account } from '../../../src/account/model.ts';
import { hashPassword } from '../../../src/account/password.ts';
import { compilePermissions } from '../../../src/account/permission.ts';
import { change } from '../../../src/admin/change.ts';
import { judge } from '../../../src/admin/effect.ts';
import { IDENTITY_ACTOR } from '../../../src/admin/identity.ts';
import { Records } from '../../../src/admin/records.ts';
import { encodeRecord, withVersion } from '../../../src/registry/codec.ts';
import { account } from '../account/samples.ts';
import { type Bench, changesOf, openBench, owner, refusal, STORES } from './stores.ts';

const ada = { name: 'ada', subject: 'https://login.test#1', role: 'administrator' };

describe.each(STORES)('people whom an identity provider vouches for, in the %s store', (kind) => {
  let bench: Bench | null;

  beforeAll(async () => {
    bench = await openBench(kind);
  });
  afterAll(() => bench?.close());
  beforeEach((ctx) => {
    if (bench === null) ctx.skip('not installed: redis-server');
  });

  const admit = (person: typeof ada) => bench!.admin.admitPerson(IDENTITY_ACTOR, person);

  it('get one account, also when they come several times at once', async () => {
    const made = await Promise.all(Array.from({ length: 5 }, () => admit(ada)));
    const [id, ...others] = new Set(made.map(({ account }) => account.id));
    expect(others).toEqual([]);
    expect((await changesOf(bench!.store, id!)).map(({ type }) => type)).toEqual([
      'account-created',
    ]);
    expect((await bench!.store.account(id!)).account).toMatchObject({
      password: null,
      subject: ada.subject,
    });
  });

  it('get the mapped role, and nothing is written when they have it', async () => {
    const { account } = await admit({ ...ada, role: 'none' });
    expect(account.role).toBe('none');
    await admit({ ...ada, role: 'none' });
    expect(await changesOf(bench!.store, account.id)).toHaveLength(2);
  });

  it('are nobody else, by name or by subject', async () => {
    expect(await refusal(admit({ ...ada, subject: 'https://login.test#2' }))).toMatchObject({
      code: 'name-taken',
    });
    expect(await refusal(admit({ ...ada, subject: 'https://other.test#1' }))).toMatchObject({
      code: 'name-taken',
    });
    const { message } = await refusal(admit({ ...ada, name: 'countess' }));
    expect(message).toContain('under another name');
    await bench!.admin.createServiceAccount(owner, { name: 'ci', role: 'none' });
    expect(await refusal(admit({ ...ada, name: 'ci', subject: 'x#3' }))).toMatchObject({
      code: 'name-taken',
    });
  });

  it('are nobody else by an import either, also when both come at once', async () => {
    const of = (n: number) => {
      const name = `twin-${n}`;
      const subject = 'https://login.test#twin';
      return account({ id: `twinTwin000${n}`, name, kind: 'user', subject, role: 'none' });
    };
    const records = [1, 2].map((n) => ({
      kind: 'account' as const,
      text: withVersion(encodeRecord(of(n)), 1),
    }));
    const { done, refusal: why } = await bench!.admin.importRecords(owner, { records });
    expect([done, why?.code]).toEqual([1, 'name-taken']);
  });

  it('have their name and their subject free again once the account is deleted', async () => {
    await bench!.admin.deleteAccount(owner, { name: 'ada' });
    expect((await admit({ ...ada, name: 'countess' })).account.name).toBe('countess');
    expect((await admit({ ...ada, subject: 'https://login.test#2' })).account.name).toBe('ada');
  });

  it('have no password: nobody can set one, themselves and the store’s owner included', async () => {
    const { account } = await admit({ ...ada, name: 'grace', subject: 'https://login.test#4' });
    expect(account.subject).toBe('https://login.test#4');
    const password = 'planted by somebody else';
    const self = { ...owner, id: account.id, name: 'grace', kind: 'user' } as const;
    const tries = [
      () => bench!.admin.setPassword(owner, { name: 'grace', password }),
      () => bench!.admin.setPassword(owner, { id: account.id, kind: 'user', password }),
      () =>
        bench!.admin.changeOwnPassword(self, { current: password, password: `${password}, too` }),
    ];
    for (const one of tries)
      expect(await refusal(one())).toMatchObject({
        code: 'invalid',
        message: 'grace signs in by the identity provider and can have no password here',
      });
    expect(await recordOf('grace')).toMatchObject({ password: null });
  });

  it('lose a password that their record holds from an earlier version, and all sessions', async () => {
    const before = await recordOf('grace');
    await write(before, { ...before, password: await hashPassword('from an earlier version') });
    const planted = await recordOf('grace');
    expect(planted.password).not.toBeNull();
    await admit({ ...ada, name: 'grace', subject: 'https://login.test#4' });
    const after = await recordOf('grace');
    expect([after.password, after.signOuts]).toEqual([null, (planted.signOuts ?? 0) + 1]);
  });

  it('begin anew when they may do more, and only then', async () => {
    const linus = { name: 'linus', subject: 'https://login.test#5' };
    await bench!.admin.createRole(owner, { name: 'reader', permissions: ['reports:read'] });
    const counts: number[] = [];
    for (const role of ['reader', 'administrator', 'administrator', 'reader', 'none', 'reader']) {
      await admit({ ...linus, role });
      counts.push((await recordOf('linus')).signOuts ?? 0);
    }
    expect(counts).toEqual([0, 1, 1, 1, 1, 2]);
  });

  async function recordOf(name: string): Promise<Account> {
    return (await bench!.store.accountByName(name))!;
  }

  /** Past all rules, as an earlier version could. */
  async function write(before: Account, after: Account): Promise<void> {
    const context = { store: bench!.store, clock: bench!.clock, instance: null };
    const edit = { kind: 'account', key: before.id, before, after } as const;
    await change(context, owner, async () => ({
      edit,
      type: 'password-set',
      effect: await judge(context, owner, await Records.read(bench!.store), edit),
      reliesOn: [],
      answer: () => ({}),
    }));
  }

  it('need a role that exists, and somebody who may vouch', async () => {
    expect(await refusal(admit({ ...ada, role: 'no-such-role' }))).toMatchObject({
      code: 'invalid',
    });
    const manager = { ...IDENTITY_ACTOR, permissions: compilePermissions(['*']) };
    expect(await refusal(bench!.admin.admitPerson(manager, ada))).toMatchObject({
      code: 'forbidden',
    });
  });
});
