import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compilePermissions } from '../../../src/account/permission.ts';
import { IDENTITY_ACTOR } from '../../../src/admin/identity.ts';
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

  it('have their name and their subject free again once the account is deleted', async () => {
    await bench!.admin.deleteAccount(owner, { name: 'ada' });
    expect((await admit({ ...ada, name: 'countess' })).account.name).toBe('countess');
    expect((await admit({ ...ada, subject: 'https://login.test#2' })).account.name).toBe('ada');
  });

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
