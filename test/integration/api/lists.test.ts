import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiBench, openApi } from '../../support/api/api.ts';

interface Page {
  readonly items: readonly { readonly name: string; readonly uses?: number | null }[];
  readonly total: number;
  readonly next: string | null;
  readonly previous: string | null;
}

/** More than a page holds, and more than a role or team names of its users. */
const MANY = 130;
const NAMES = Array.from({ length: MANY }, (_, n) => `job-${String(n).padStart(3, '0')}`);

describe('lists of many accounts over the API', () => {
  let api: ApiBench;
  const page = async (path: string): Promise<Page> => {
    const answer = await api.call('GET', path);
    expect(answer.status).toBe(200);
    return answer.body;
  };
  const names = ({ items }: Page) => items.map(({ name }) => name);

  beforeAll(async () => {
    api = await openApi();
    await api.call('POST', '/roles', {
      body: { name: 'runner', permissions: ['deployments:read'] },
    });
    await api.call('POST', '/teams', { body: { name: 'crew' } });
    for (const name of NAMES.toReversed()) {
      const body = { name, role: 'runner', teams: [{ team: 'crew', role: 'runner' }] };
      expect((await api.call('POST', '/service-accounts', { body })).status).toBe(201);
    }
  });
  afterAll(() => api.stop());

  it('are in order from page to page, with the number of all, and lead back', async () => {
    const first = await page('/service-accounts?search=JOB-');
    expect(first.total).toBe(MANY);
    expect(names(first)).toEqual(NAMES.slice(0, 100));
    expect(first.previous).toBeNull();
    const second = await page(`/service-accounts?search=JOB-&cursor=${first.next}`);
    expect(names(second)).toEqual(NAMES.slice(100));
    expect(second.next).toBeNull();
    const back = await page(`/service-accounts?search=JOB-&cursor=${second.previous}`);
    expect(names(back)).toEqual(names(first));
  });

  it('find one account wherever it stands, and sort by what is asked for', async () => {
    expect(names(await page('/service-accounts?search=b-117'))).toEqual(['job-117']);
    expect(names(await page('/service-accounts?namePrefix=JOB-12')).length).toBe(10);
    const newest = await page('/service-accounts?sort=createdAt&order=descending&limit=1');
    expect(names(newest)).toEqual(['job-000']);
    expect((await page('/service-accounts?tokenOlderThanDays=1')).total).toBe(0);
    const users = await page('/users?search=job-');
    expect(users.total).toBe(0);
  });

  it('count the users of a role and the members of a team, beyond those that are named', async () => {
    const roles = await page('/roles');
    expect(roles.items.find(({ name }) => name === 'runner')).toMatchObject({ uses: MANY });
    const shown = await api.call('GET', '/roles/runner');
    expect(shown.body).toMatchObject({ uses: MANY });
    expect((await api.call('GET', '/teams/crew')).body).toMatchObject({
      team: { memberCount: MANY },
    });
    const members: unknown[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const at: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const part: Page = await page(`/teams/crew/members?limit=60${at}`);
      members.push(...part.items);
      cursor = part.next;
    }
    expect(members).toHaveLength(MANY);
    expect((await api.call('GET', '/teams/nobody/members')).status).toBe(404);
  });

  it('refuse a cursor that belongs to another order', async () => {
    const { next } = await page('/service-accounts?limit=1');
    for (const path of [
      `/service-accounts?cursor=${next}&sort=role`,
      `/service-accounts?cursor=${next}&order=descending`,
      '/service-accounts?cursor=nothing',
      '/teams/crew/members?cursor=nothing',
    ])
      expect((await api.call('GET', path)).body).toMatchObject({ status: 422 });
  });
});
