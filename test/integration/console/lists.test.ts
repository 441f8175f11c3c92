import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Browser, operator, startConsole, type TestConsole } from '../../support/console.ts';

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
