import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiBench, openApi, owner } from '../../support/api/api.ts';
import { Shell } from '../../support/shell.ts';

interface Shown {
  readonly account: { readonly id: string };
}

describe('many at a time, and lists as tables', () => {
  const shell = new Shell();
  let api: ApiBench;
  const ids: string[] = [];

  beforeAll(async () => {
    api = await openApi();
    Object.assign(shell.env, { SALLYPORT_TOKEN: api.administrator.token });
    await api.test.administration.createTeam(owner, { name: 'crew', applications: ['CRM'] });
    for (const name of ['one', 'two', 'three']) {
      const body = { name, role: 'tester', description: name === 'two' ? '=1+1, "x"' : '' };
      const made = (await api.call('POST', '/service-accounts', { body })).body as Shown;
      ids.push(made.account.id);
    }
  });
  afterAll(async () => {
    shell.close();
    await api.stop();
  });

  const over = () => ['--server', api.url, '--ca-file', api.test.caFile];

  it('previews and changes over the API', async () => {
    const body = { ids, status: 'inactive', preview: true };
    const preview = await api.call('POST', '/service-accounts/bulk', { body });
    expect(preview.body).toMatchObject({
      items: ids.map((id) => ({
        id,
        outcome: 'changed',
        loses: ['everything: it is let in nowhere'],
      })),
    });
    const done = await api.call('POST', '/service-accounts/bulk', {
      body: { ...body, preview: false },
    });
    expect(done.body).toMatchObject({ revocation: { effective: true, instances: 1 } });
    const shown = await api.call('GET', `/service-accounts/${ids[0]}`);
    expect(shown.body).toMatchObject({ account: { status: 'inactive' } });
    const nothing = await api.call('POST', '/service-accounts/bulk', { body: { ids } });
    expect(nothing.body).toMatchObject({ status: 422, reason: 'invalid' });
    const people = await api.call('POST', '/users/bulk', { body: { ids, status: 'active' } });
    expect(
      (people.body as { items: { outcome: string }[] }).items.map((one) => one.outcome),
    ).toEqual(['refused', 'refused', 'refused']);
  });

  const bulk = (...words: string[]) => shell.run('account', 'bulk', ...words, ...over());

  it('previews and asks by the command line, and needs to be told what and whom', async () => {
    const preview = await bulk('--status', 'inactive', '--activate', '--dry-run');
    expect(preview.out).toMatch(/^one +changed/m);
    expect(await bulk('--status', 'inactive', '--activate')).toMatchObject({ code: 2 });
    expect((await bulk('--activate')).err).toContain('no accounts are chosen');
    expect((await bulk('one')).err).toContain('nothing to change');
  });

  it('changes by the command line, by names and by filters', async () => {
    const done = await bulk('one', 'two', '--activate', '--join', 'crew:tester', '--yes');
    expect([done.code, done.err]).toEqual([0, expect.stringContaining('Changed 2 of 2 accounts.')]);
    const listed = await shell.json<{ accounts: { name: string }[] }>(
      ...['account', 'list', '--team', 'crew', ...over()],
    );
    expect(listed.accounts.map(({ name }) => name)).toEqual(['one', 'two']);
  });

  it('tells every list as a table to who asks for that, page by page', async () => {
    const headers = { accept: 'text/csv' };
    const table = await api.call('GET', '/service-accounts?search=t&limit=1', { headers });
    expect(table.headers['content-type']).toMatch(/^text\/csv/);
    expect(table.headers.link).toMatch(/cursor=.*rel="next"/);
    const lists = ['/users', '/roles', '/teams', '/teams/crew/members', '/instances'];
    for (const path of lists) {
      const { status, text } = await api.call('GET', path, { headers });
      expect([path, status]).toEqual([path, 200]);
      expect(text.split('\r\n')[0]).toMatch(/^(name|account|instance),/);
    }
    const json = await api.call('GET', '/roles', { headers: { accept: '*/*' } });
    expect(json.headers['content-type']).toBe('application/json');
  });

  it('writes a cell that a spreadsheet could take for a formula as text', async () => {
    const { out } = await shell.run('account', 'list', '--csv', ...over());
    expect(out).toContain(`"'=1+1, ""x"""`);
    for (const words of [['role', 'list'], ['team', 'list'], ['instances']]) {
      const listed = await shell.run(...words, '--csv', ...over());
      expect([words, listed.code, listed.out.includes(',')]).toEqual([words, 0, true]);
    }
  });
});
