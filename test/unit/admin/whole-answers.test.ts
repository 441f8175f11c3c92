import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listResponse } from '../../../src/admin/api/responses.ts';
import { explainCall } from '../../../src/admin/explain-call.ts';
import { routesText } from '../../../src/published/text.ts';
import { bossOf, openTrailBench, type TrailBench } from '../../support/trail-bench.ts';
import { route } from '../decision/samples.ts';
import { refusal } from './stores.ts';

const READ = route({ name: 'read', path: '/r/crm', permission: 'apps:read' });

describe('answers to questions', () => {
  let bench: TrailBench;

  beforeAll(async () => {
    bench = (await openTrailBench('embedded', [READ]))!;
    const { admin } = bench;
    await admin.createServiceAccount(bossOf, { name: 'busy', role: 'none' });
    await admin.createServiceAccount(bossOf, { name: 'idle', role: 'none' });
  });
  afterAll(() => bench.close());

  it('lead from page to page of a table in two directions until each cell was told', async () => {
    const { admin } = bench;
    const applications = Array.from({ length: 5 }, (_, n) => `app${n}`);
    await admin.createTeam(bossOf, { name: 't', applications });
    const cells: string[] = [];
    let url = 'https://h/api/v1/who-can/matrix?permission=apps:read';
    for (let pages = 0; pages < 20; pages += 1) {
      const { searchParams: asked } = new URL(url);
      const given = (name: string) => {
        const value = asked.get(name);
        return value === null ? {} : { [name]: value };
      };
      const body = await admin.accessMatrix(bossOf, {
        ...{ permission: 'apps:read', columns: 2, limit: 1 },
        ...{ ...given('cursor'), ...given('after') },
      });
      const answer = listResponse('x', 'matrix', 'csv', { status: 200, body }, url);
      const [, ...lines] = (await answer.text()).trim().split('\r\n');
      cells.push(...lines.map((line) => line.split(',').slice(0, 3).join()));
      const link = /^<(.*)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1];
      if (link === undefined) break;
      url = `https://h${link}`;
    }
    expect([cells.length, new Set(cells).size]).toEqual([10, 10]);
  });

  it('never cost somebody the record that they are reading on', async () => {
    const small = bench.adminOf(1);
    const account = (await bench.admin.listAccounts(bossOf, { name: 'busy' })).items[0]!;
    await bench.record(
      'gate-a',
      Array.from({ length: 3_000 }, () => ({ account, route: READ })),
    );
    const first = await small.advise(bossOf, { days: 7 });
    const second = await small.advise(bossOf, { days: 8 });
    expect([first.next, second.next]).not.toContain(null);
    expect((await refusal(small.advise(bossOf, { days: 9 }))).code).toBe('conflict');
    const on = await small.advise(bossOf, { days: 7, cursor: first.next });
    expect(on.window.examined).toBeGreaterThan(first.window.examined);
    // Nobody goes on with these.
    bench.clock.aheadMs += 11_000;
    await small.advise(bossOf, { days: 9 });
  });

  it('name who would be refused a change of many', async () => {
    const { admin } = bench;
    const { items } = await admin.listAccounts(bossOf, {});
    const ids = [items[0]!.id, 'AAAAAAAAAAAA'];
    const input = { kind: 'service', ids, status: 'inactive' };
    const replayed = await admin.replayChange(bossOf, { operation: 'changeAccounts', input });
    expect(replayed.refused).toMatchObject([{ id: 'AAAAAAAAAAAA', name: null }]);
  });

  it('say of published routes that this version cannot match by that they are unreadable', async () => {
    const routes = [READ, { ...READ, name: 'same' }];
    const { digest, text } = (await routesText(routes))!;
    const by = { instance: 'g', routes: 2, table: digest, sinceMs: 1, toldMs: 1 };
    const published = { list: async () => [by], text: async () => text };
    const { store, clock } = bench;
    const context = { store, clock, instance: null, published };
    const asked = { account: 'busy', method: 'GET', path: '/r/crm' };
    const { code, message } = await refusal(explainCall(context, bossOf, asked));
    expect([code, message]).toEqual(['unavailable', expect.stringContaining('cannot be read')]);
  });

  it('refuse to say who can make a call that no gate takes', async () => {
    const asked = { method: 'FOO', path: '/r/crm' };
    expect((await refusal(bench.admin.whoCan(bossOf, asked))).code).toBe('invalid');
  });
});
