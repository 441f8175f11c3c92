import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectServer } from '../../../src/admin/remote/server-control.ts';
import { type ApiBench, openApi } from '../../support/api/api.ts';

interface Event {
  readonly id: string;
  readonly phase: string;
  readonly reason?: string;
  readonly requestId?: string;
}

interface Story {
  readonly items: readonly Event[];
  readonly next: string | null;
  readonly timing: object | null;
  readonly neighbours: {
    readonly of: string;
    readonly name: string;
    readonly before: readonly Event[];
    readonly after: readonly Event[];
    readonly reached: boolean;
  } | null;
}

interface Page {
  readonly items: readonly Event[];
  readonly next: string | null;
  readonly begins?: string;
}

const EVERYTHING = ['', 'phase=decision', 'reason=permission-denied', 'account=busy'] as const;

describe('what happened, over the API', () => {
  let api: ApiBench;
  let busy: { readonly id: string; readonly token: string };
  const requests: string[] = [];
  let stranger = '';

  beforeAll(async () => {
    api = await openApi();
    busy = await api.test.createAccount({ name: 'busy', role: 'none' });
    for (let n = 0; n < 9; n += 1) {
      const { body } = await api.call('GET', '/roles', { token: busy.token });
      requests.push((body as { readonly requestId: string }).requestId);
    }
    const refused = await api.call('GET', '/roles', { token: 'nonsense' });
    stranger = String(refused.headers['x-request-id']);
    await api.test.events();
  });
  afterAll(() => api.stop());

  const told = async (id: string) =>
    (await api.call('GET', `/activity/requests/${id}`)).body as Story;

  it('is told by the id in the body of a refusal, with what the same account did around it', async () => {
    const { items, next, neighbours } = await told(requests[4]!);
    expect(items.map(({ phase, reason }) => [phase, reason])).toEqual([
      ['decision', 'permission-denied'],
    ]);
    expect(next).toBeNull();
    expect(neighbours).toMatchObject({ of: 'account', name: 'busy', reached: true });
    const ids = (events: readonly Event[] = []) => events.map(({ requestId }) => requestId);
    expect(ids(neighbours?.after)).toEqual(requests.slice(5).reverse());
    expect(ids(neighbours?.before).slice(0, 4)).toEqual(requests.slice(0, 4).reverse());
  });

  it('is told of a stranger with what came from the same address', async () => {
    const { items, neighbours } = await told(stranger);
    expect(items).toMatchObject([{ phase: 'decision', reason: 'token-malformed' }]);
    expect(neighbours).toMatchObject({ of: 'address', reached: true });
    expect(neighbours?.before.length).toBeGreaterThan(0);
  });

  it('tells the same to the command line at another machine', async () => {
    const options = { url: new URL(api.url), ca: api.ca, token: api.administrator.token };
    const server = connectServer(options);
    const owner = { id: null, name: 'x', kind: 'operator', via: 'command-line' } as never;
    const story = await server.control.administration.showRequest(owner, {
      requestId: requests[4]!,
    });
    server.close();
    expect(story.items.map((line) => JSON.parse(line))).toEqual((await told(requests[4]!)).items);
    expect(story.neighbours?.after).toHaveLength(4);
  });

  it('is no secret to whoever may read the activity, and one to everybody else', async () => {
    const { token } = busy;
    for (const path of [`/activity/requests/${requests[0]}`, '/activity']) {
      const { status } = await api.call('GET', path, { token, headers: { accept: 'text/csv' } });
      expect([path, status]).toEqual([path, 403]);
    }
  });

  it('says that nothing is known of an id, and knows no path of what is none', async () => {
    expect(await told('aaaaaaaaaaaa-000000001')).toMatchObject({
      items: [],
      next: null,
      neighbours: null,
    });
    for (const id of ['with%20space', '%E2%82%AC', 'x'.repeat(129)])
      expect((await api.call('GET', `/activity/requests/${id}`)).status).toBe(404);
  });

  it.each(EVERYTHING)('takes away as CSV and NDJSON what pages show, by %s', async (filter) => {
    // What is asked here is recorded as well: all looks are at what was before.
    const until = new Date(Date.now() + 1).toISOString();
    await api.test.events();
    const asked = `/activity?limit=9&until=${until}${filter === '' ? '' : `&${filter}`}`;
    const shown = await pagesOf(api, asked);
    expect(shown.length).toBeGreaterThan(8);
    const lines = (await filesOf(api, asked, 'application/x-ndjson')).flatMap((text) =>
      text.split('\n').filter((line) => line !== ''),
    );
    expect(lines.map((line) => JSON.parse(line))).toEqual(shown);
    const tables = (await filesOf(api, asked, 'text/csv')).map((text) => text.split('\r\n'));
    const idAt = tables[0]![0]!.split(',').indexOf('id');
    const rows = tables.flatMap(([, ...cells]) => cells.filter((row) => row !== ''));
    expect(rows.map((row) => cellsOf(row)[idAt])).toEqual(shown.map(({ id }) => id));
  });

  it('says from when on calls are on record, to whoever asks for longer', async () => {
    const long = (await api.call('GET', '/activity?limit=500&since=2020-01-01T00:00:00Z'))
      .body as Page;
    expect(Date.parse(long.begins ?? '')).toBeGreaterThan(Date.now() - 600_000);
    const now = new Date().toISOString();
    expect((await api.call('GET', `/activity?since=${now}`)).body).not.toHaveProperty('begins');
  });
});

async function pagesOf(api: ApiBench, asked: string): Promise<readonly Event[]> {
  const items: Event[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const path: string = cursor === '' ? asked : `${asked}&cursor=${cursor}`;
    const page: Page = (await api.call('GET', path)).body;
    items.push(...page.items);
    cursor = page.next;
  }
  return items;
}

/** Goes by links alone. */
async function filesOf(api: ApiBench, asked: string, accept: string): Promise<readonly string[]> {
  const texts: string[] = [];
  for (let path: string | undefined = asked; path !== undefined; ) {
    const { text, headers } = await api.call('GET', path, { headers: { accept } });
    expect(headers['content-type']).toContain(accept);
    texts.push(text);
    path = /^<([^>]+)>; rel="next"$/.exec(String(headers.link))?.[1];
  }
  return texts;
}

/** Of one line of RFC 4180. */
function cellsOf(row: string): readonly string[] {
  return [...row.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
  );
}
