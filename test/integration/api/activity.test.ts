import { request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServerEvent, serverEvents } from '../../../src/admin/remote/event-source.ts';
import { type ApiBench, openApi } from '../../support/api/api.ts';

interface Page {
  readonly items: readonly {
    readonly id: string;
    readonly phase: string;
    readonly type: string;
    readonly time: string;
  }[];
  readonly next: string | null;
}

describe('activity over the API', () => {
  let api: ApiBench;
  let id: string;

  beforeAll(async () => {
    api = await openApi();
    const made = await api.test.createAccount({ name: 'busy', role: 'none' });
    ({ id } = made);
    // Calls and changes, so that two logs are to be laid into one.
    for (let n = 0; n < 6; n += 1) {
      await api.call('GET', '/roles', { token: made.token });
      await api.call('PATCH', `/service-accounts/${id}`, { body: { description: `change ${n}` } });
    }
    await api.test.events();
  });
  afterAll(() => api.stop());

  it('shows calls and changes newest first, every one once, however small the pages', async () => {
    const whole = (await api.call('GET', `/service-accounts/${id}/activity?limit=500`))
      .body as Page;
    expect(whole.next).toBeNull();
    expect(whole.items.filter(({ type }) => type === 'account-changed')).toHaveLength(6);
    expect(whole.items.filter(({ type }) => type === 'admin-call')).toHaveLength(6);
    const times = whole.items.map(({ time }) => time);
    expect(times).toEqual([...times].sort().reverse());
    const paged: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: Page = (
        await api.call(
          'GET',
          `/service-accounts/${id}/activity?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`,
        )
      ).body;
      paged.push(...page.items.map(keyOf));
      cursor = page.next;
    }
    expect(paged).toEqual(whole.items.map(keyOf));
  });

  it('does not lose or repeat anything when more happens between two pages', async () => {
    const first = (await api.call('GET', '/activity?limit=4')).body as Page;
    await api.call('PATCH', `/service-accounts/${id}`, { body: { description: 'in between' } });
    await api.test.events();
    const second = (await api.call('GET', `/activity?limit=4&cursor=${first.next}`)).body as Page;
    const both = [...first.items, ...second.items].map(keyOf);
    expect(new Set(both).size).toBe(8);
    const whole = ((await api.call('GET', '/activity?limit=500')).body as Page).items.map(keyOf);
    const at = whole.indexOf(both[0]!);
    expect(whole.slice(at, at + 8)).toEqual(both);
  });

  it.each([
    ['type=account-changed', (event: Page['items'][number]) => event.type === 'account-changed'],
    ['phase=decision', (event: Page['items'][number]) => event.phase === 'decision'],
    [
      'account=busy&reason=permission-denied',
      (event: Page['items'][number]) => event.type === 'admin-call',
    ],
  ])('filters by %s', async (query, holds) => {
    const { items } = (await api.call('GET', `/activity?limit=500&${query}`)).body as Page;
    expect(items.length).toBeGreaterThan(0);
    expect(items.every(holds)).toBe(true);
  });

  it('filters by time', async () => {
    const { items } = (await api.call('GET', '/activity?account=busy&limit=500')).body as Page;
    const [newest, oldest] = [items[0]!, items.at(-1)!];
    const before = (await api.call('GET', `/activity?account=busy&limit=500&until=${newest.time}`))
      .body as Page;
    expect(before.items.every(({ time }) => time < newest.time)).toBe(true);
    const after = (await api.call('GET', `/activity?account=busy&limit=500&since=${newest.time}`))
      .body as Page;
    expect(after.items.map(keyOf)).toContain(keyOf(newest));
    expect(after.items.map(keyOf)).not.toContain(keyOf(oldest));
  });

  it('streams what happens, and goes on after the last event that was seen', async () => {
    const change = (text: string) =>
      api.call('PATCH', `/service-accounts/${id}`, { body: { description: text } });
    const stream = await follow(api, '/activity/stream?account=busy&type=account-changed&limit=1');
    await change('streamed');
    const seen = await until(stream.events, 'streamed');
    stream.close();
    await change('missed one');
    await change('missed two');
    const resumed = await follow(api, '/activity/stream?account=busy&type=account-changed', {
      'last-event-id': seen.id,
    });
    const missed = await until(resumed.events, 'missed two');
    expect(missed.before.filter(({ data }) => data.includes('missed one'))).toHaveLength(1);
    expect(missed.before.map(({ id: one }) => one)).not.toContain(seen.id);
    resumed.close();
  });

  it('begins with as many as were asked for, and takes nothing older for news', async () => {
    const stream = await follow(api, '/activity/stream?account=busy&limit=2');
    const change = (text: string) =>
      api.call('PATCH', `/service-accounts/${id}`, { body: { description: text } });
    await until(stream.events, '');
    await until(stream.events, '');
    // Long enough for another look at the log, and then for one with news.
    await sleep(1_200);
    await change('news');
    const { before } = await until(stream.events, 'news');
    expect(before.map(({ data }) => data)).toEqual([]);
    stream.close();
  });

  it('ends a stream whose token is put out of use, before that is called effective', async () => {
    const { id: watcher, token } = await api.test.createAccount({
      name: 'watcher',
      role: 'administrator',
    });
    const stream = await follow(api, '/activity/stream', {}, token);
    const ended = drained(stream.events);
    const rotated = await api.call('POST', `/service-accounts/${watcher}/token`);
    expect(rotated.body).toMatchObject({ revocation: { effective: true } });
    await ended;
    expect((await api.call('HEAD', '/activity/stream', { token })).status).toBe(401);
  });

  it('refuses an account that there is not, as an answer and not in the stream', async () => {
    expect((await api.call('GET', '/activity/stream?account=nobody')).body).toMatchObject({
      status: 404,
      reason: 'not-found',
    });
    // What is no date, and what is the first moment that a date can be.
    for (const after of ['x', '', '-271821-04-20T00:00:00.000Z~x~y', '-000001-01-01T00:00:00Z'])
      expect((await api.call('GET', `/activity/stream?after=${after}`)).body).toMatchObject({
        status: 422,
      });
  });

  it('records the outcome of a stream when it ends, and not when it begins', async () => {
    const { token } = await api.test.createAccount({ name: 'follower', role: 'administrator' });
    const stream = await follow(api, '/activity/stream?limit=1', {}, token);
    await until(stream.events, '');
    const phases = async () =>
      (await api.test.events())
        .filter(({ account }) => (account as { name?: string } | null)?.name === 'follower')
        .filter(({ type }) => type === 'admin-call')
        .map(({ phase }) => phase);
    expect(await phases()).toEqual(['decision']);
    stream.close();
    await expect.poll(phases, { timeout: 20_000 }).toEqual(['decision', 'outcome']);
  });

  it('opens only so many streams for one account', async () => {
    const { token } = await api.test.createAccount({ name: 'greedy', role: 'administrator' });
    const open = [];
    for (let n = 0; n < 8; n += 1) open.push(await follow(api, '/activity/stream', {}, token));
    expect((await api.call('GET', '/activity/stream', { token })).body).toMatchObject({
      status: 503,
      reason: 'overloaded',
    });
    for (const stream of open) stream.close();
  });
});

function keyOf({ id, phase, type, time }: Page['items'][number]): string {
  return `${time} ${type} ${phase} ${id}`;
}

interface Stream {
  readonly events: AsyncGenerator<ServerEvent>;
  close(): void;
}

function follow(
  api: ApiBench,
  path: string,
  headers: Record<string, string> = {},
  token = api.administrator.token,
): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const sent = request(`${api.url}/api/v1${path}`, {
      ca: api.ca,
      agent: false,
      headers: { authorization: `Bearer ${token}`, ...headers },
    });
    sent.once('error', reject);
    sent.once('response', (answer) => {
      if (answer.statusCode !== 200) return reject(new Error(`${path}: ${answer.statusCode}`));
      answer.on('error', () => {});
      resolve({ events: serverEvents(answer), close: () => sent.destroy() });
    });
    sent.end();
  });
}

async function drained(events: AsyncGenerator<ServerEvent>): Promise<void> {
  for (let done = false; !done; ) done = (await events.next()).done === true;
}

/** Reads on until an event says `text`: that event, with those before it. */
async function until(
  events: AsyncGenerator<ServerEvent>,
  text: string,
): Promise<ServerEvent & { readonly before: readonly ServerEvent[] }> {
  const before: ServerEvent[] = [];
  for (;;) {
    const { value, done } = await events.next();
    if (done === true) throw new Error(`the stream ended before ${text}`);
    if (value.data.includes(text)) return { ...value, before };
    before.push(value);
  }
}
