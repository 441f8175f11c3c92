import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Advice } from '../../../src/admin/advice/advise.ts';
import type { Replay } from '../../../src/admin/trail/replay-change.ts';
import { type ApiBench, openApi } from '../../support/api/api.ts';
import { owner } from '../../support/gateway.ts';
import { Shell } from '../../support/shell.ts';

/** A change against calls that a real gate has recorded, asked of its owner and of its API. */
describe('changes against recorded calls on the command line', () => {
  const shell = new Shell();
  let api: ApiBench;
  let ways: Readonly<Record<'--config' | '--server', readonly string[]>>;

  beforeAll(async () => {
    api = await openApi();
    const dataDir = api.test.dataDir;
    shell.write(
      'manage.yaml',
      JSON.stringify({ instance: { name: 'x', dataDir }, store: { kind: 'embedded' } }),
    );
    shell.write(
      'accounts.yaml',
      'accounts:\n  roles:\n    - { name: builder, permissions: [other:read] }\n',
    );
    Object.assign(shell.env, { SALLYPORT_TOKEN: api.administrator.token });
    ways = {
      '--config': ['--config', 'manage.yaml'],
      '--server': ['--server', api.url, '--ca-file', api.test.caFile],
    };
    const { administration } = api.test;
    await administration.createRole(owner, { name: 'builder', permissions: ['test:all'] });
    const { token } = await api.test.createAccount({ name: 'build', role: 'builder' });
    for (let n = 0; n < 3; n += 1) await call(api, token);
  });
  afterAll(async () => {
    shell.close();
    await api.stop();
  });

  describe.each(['--config', '--server'] as const)('by %s', (way) => {
    it('says which calls a role would have refused, and leaves it as it is', async () => {
      const words = ['role', 'edit', 'builder', '--permission', 'other:read', '--replay', '7d'];
      const said = await shell.run(...words, ...ways[way]);
      expect(said.code).toBe(0);
      expect(said.out).toContain(
        'In the last 7 days it would have refused 3 calls of 1 account, and let in none.',
      );
      expect(said.out).toMatch(/^refused +build +test:all +- +builder +3 /m);
      const answer = await shell.json<Replay>(...words, ...ways[way]);
      expect(answer).toMatchObject({ refuses: { calls: 3 }, next: null, routesKnown: true });
      const shown = await shell.json<{ role: { permissions: string[] } }>(
        ...['role', 'show', 'builder', ...ways[way]],
      );
      expect(shown.role.permissions).toEqual(['test:all']);
    });

    it('says it of accounts, asks nothing, and of a whole declaration with its plan', async () => {
      const off = await shell.run('account', 'deactivate', 'build', '--replay', '1d', ...ways[way]);
      expect([off.code, off.out]).toEqual([0, expect.stringContaining('refused 3 calls')]);
      const many = ['account', 'bulk', 'build', '--set-role', 'none', '--replay', '7d'];
      expect((await shell.run(...many, ...ways[way])).out).toContain('builder → none');
      const apply = ['apply', '-f', 'accounts.yaml', '--dry-run', '--replay', '7d'];
      const planned = await shell.run(...apply, ...ways[way]);
      expect(planned.out).toContain('~ role builder');
      expect(planned.out).toContain('refused 3 calls of 1 account');
      const told = await shell.json<{ replay: Replay }>(...apply, ...ways[way]);
      expect(told.replay.refuses.calls).toBe(3);
    });
  });

  it.each(['--config', '--server'] as const)('says what is worth a look, by %s', async (way) => {
    const advice = await shell.json<Advice>('advise', '--days', '90', ...ways[way]);
    expect(advice).toMatchObject({ next: null, tooShort: true, items: [] });
    const said = await shell.run('advise', '--token-older-than', '1', ...ways[way]);
    expect([said.code, said.out]).toEqual([0, '']);
    expect(said.err).toContain('Less than a day is on record');
  });

  it('takes days and nothing else, and not of people', async () => {
    const wrong = await shell.run('role', 'delete', 'builder', '--replay', '7h');
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('Say days, such as 7d')]);
    const people = await shell.run('user', 'deactivate', 'alice', '--replay', '7d');
    expect(people.code).toBe(2);
  });
});

/** One through the gate; nobody answers behind it. */
async function call({ test: { url }, ca }: ApiBench, token: string): Promise<void> {
  const asked = get(`${url}/builds`, {
    ca,
    agent: false,
    headers: { authorization: `Bearer ${token}` },
  });
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
}
