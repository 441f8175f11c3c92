import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NOTICE_LOG, noticeEvent } from '../../../src/audit/event/notice-event.ts';
import { turn } from '../../../src/turns.ts';
import {
  type Browser,
  hiddenFields,
  operator,
  startConsole,
  type TestConsole,
} from '../../support/console.ts';

const MANY = 120;
const DAY_MS = 86_400_000;

describe('lists of many accounts in the console', () => {
  let test: TestConsole;
  let ada: Browser;
  const page = async (path: string): Promise<string> => {
    const answer = await ada.get(path);
    expect(answer.status).toBe(200);
    return answer.text;
  };
  const link = (text: string, words: string) =>
    new RegExp(`href="([^"]+)">${words}<`).exec(text)?.[1]?.replaceAll('&amp;', '&') ?? '';

  beforeAll(async () => {
    test = await startConsole();
    await test.createUser('ada', 'administrator');
    const soon = new Date(Date.now() + 5 * DAY_MS).toISOString();
    for (let n = MANY; n > 0; n -= 1)
      await test.administration.createServiceAccount(operator, {
        name: `job-${String(n).padStart(3, '0')}`,
        role: 'none',
        // Whoever expires was made last, and so far from where a look at a few would begin.
        ...(n === 1 ? { expiresAt: soon } : {}),
      });
    ada = await test.signedIn('ada');
  });
  afterAll(() => test.stop());

  it('tell how many there are, and lead on and back', async () => {
    const first = await page('/service-accounts');
    expect(first).toContain(`${MANY} service accounts`);
    expect(first).toContain('job-100');
    expect(first).not.toContain('job-101');
    const second = await page(link(first, 'Next page'));
    expect(second).toContain('job-101');
    expect(await page(link(second, 'Previous page'))).toContain('job-001');
  });

  it('find a name, and one user among machines', async () => {
    const found = await page('/service-accounts?q=JOB-113');
    expect(found).toContain('1 service account<');
    expect(found).toContain('job-113');
    expect(await page('/users')).toContain('1 user<');
    expect(await page('/users?q=job')).toContain('Nothing matches');
  });

  it('show on the page of bait who has shown its token, and nothing of other bait', async () => {
    const { administration } = test;
    const made = { role: 'none', honey: true };
    const bait = await administration.createServiceAccount(operator, { name: 'bait', ...made });
    await administration.createServiceAccount(operator, { name: 'other-bait', ...made });
    const { id, name } = bait.account;
    const notice = noticeEvent('test', 1, {
      ...{ id: 'n-1', timeMs: Date.now(), type: 'honey-token-presented', requestId: 'r-1' },
      ...{ target: { kind: 'account', id, name }, clientAddress: '192.0.2.77' },
    });
    await test.record(JSON.parse(notice), NOTICE_LOG);
    expect(await page('/service-accounts/bait')).toContain('192.0.2.77');
    const other = await page('/service-accounts/other-bait');
    expect(other).toContain('Nobody has presented its token');
    expect(other).not.toContain('192.0.2.77');
    // A look that ended, as behind some thousand notices about others.
    const { activityPage } = administration;
    const place = JSON.stringify(['1', 'end', '2030-01-02T03:04:05.678Z']);
    const next = Buffer.from(place).toString('base64url');
    const cut: typeof activityPage = async (...asked) => ({
      ...(await activityPage(...asked)),
      next,
    });
    Object.assign(administration, { activityPage: cut });
    const since =
      'presented its token since 2030-01-02 03:04:05 UTC. Older notices were not looked at';
    expect(await page('/service-accounts/other-bait')).toContain(`Nobody has ${since}`);
    expect(await page('/service-accounts/bait')).toContain(`Who has ${since}`);
    Object.assign(administration, { activityPage });
    for (const { name: gone } of [bait.account, { name: 'other-bait' }])
      await administration.deleteAccount(operator, { name: gone });
  });

  it('say how much of what would be lost is used, before a new token and before many go', async () => {
    const name = 'job-002';
    const { id } = await test.administration.showAccount(operator, { name });
    await test.used(name, Date.now() - 60_000, '192.0.2.5');
    const call = { type: 'call', phase: 'decision', time: new Date().toISOString() };
    for (const nth of [1, 2, 3]) await test.record({ ...call, id: `c-${nth}` }, id);
    const asking = await page(`/service-accounts/${name}/new-token`);
    expect(asking).toContain('from 192.0.2.5.');
    expect(asking).toContain('Calls in 24 hours: 3.');
    const form = hiddenFields(await page('/service-accounts'), '/bulk/service-accounts');
    const bulk = { ...form, id, act: 'deactivate' };
    const { status, text } = await ada.post('/bulk/service-accounts', bulk);
    expect(status).toBe(200);
    expect(text).toMatch(/everything: it is let in nowhere<\/td>\s*<td[^>]*>3<\/td>/);
    expect(text).toContain('Other gates, and other workers of this one, are not asked.');
  });

  it('are not read on for a browser that has left', async () => {
    const { usage } = test;
    const read = usage.minutes.bind(usage);
    const [begun, gone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let reads = 0;
    usage.minutes = async (of, hour) => {
      if (of === 'account') {
        reads += 1;
        begun.resolve();
        await gone.promise;
      }
      return read(of, hour);
    };
    try {
      const since = new Date(Date.now() - 5 * 3_600_000).toISOString();
      await ada.leave(`/csv/usage?of=account&by=calls&since=${since}`, begun.promise);
      while ((await test.connections()) > 0) await sleep(1);
      await turn();
      gone.resolve();
      // Readings are one after the other: when this one is answered, the other is over.
      await test.administration.topUsage(operator, { of: 'route' });
      expect(reads).toBe(1);
    } finally {
      usage.minutes = read;
    }
  });

  it('keep a moment as fine as it was asked for', async () => {
    const form = await page('/activity?since=2026-01-01T10:00:00Z&until=2026-01-01T10:00:07.009Z');
    expect(form).toContain('value="2026-01-01T10:00"');
    expect(form).toMatch(/value="2026-01-01T10:00:07\.009"[^>]* step="0\.001"/);
    expect(await page('/activity?until=2026-01-01T10:00:07Z')).toMatch(
      /value="2026-01-01T10:00:07"[^>]* step="1"/,
    );
  });

  it('sort by the heading of a column, and turn it round', async () => {
    const first = await page('/service-accounts');
    const byExpiry = link(first, 'Expires');
    expect(await page(byExpiry)).toContain('aria-sort="ascending"');
    const turned = await page(link(first, 'Name <span aria-hidden="true">↑</span>'));
    expect(turned).toContain('aria-sort="descending"');
    expect(turned).toContain(`job-${MANY}`);
    expect(turned).not.toContain('job-001');
  });

  it('look among all for what is worth a look', async () => {
    expect(await page('/')).toContain('/service-accounts/job-001');
  });
});
