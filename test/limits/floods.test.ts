import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AuditEvent, owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { call, fieldOf, statusOf } from './caller.ts';

const SINGLES = 20;
const CALLS = 300;

describe('a flood of refusals of an account that is known', () => {
  let upstream: RawUpstream;
  let gate: TestGateway;

  beforeAll(async () => {
    upstream = await startRawUpstream();
    const config = { audit: { foldRefusalsAfter: SINGLES } };
    const upstreams = { api: { addresses: [upstream.url] } };
    gate = await startGateway({ upstreams, plaintext: true, config });
  });
  afterAll(async () => {
    await gate?.stop();
    await upstream?.stop();
  });

  function place(from = '127.0.0.1') {
    return { port: gate.port, from };
  }

  async function account(name: string, role: string) {
    return gate.createAccount({ name, role });
  }

  /** What the record says of an account, once its counts are written. */
  async function recordOf(id: string): Promise<readonly AuditEvent[]> {
    const of = async () =>
      (await gate.events()).filter(
        (event) => event.phase === 'decision' && (event.account as { id: string })?.id === id,
      );
    await expect.poll(async () => standingFor(await of()), { timeout: 30_000 }).toBe(CALLS);
    return of();
  }

  it('is counted, not written one by one, and tells account and reason', async () => {
    const inactive = await account('inactive', 'tester');
    await gate.administration.deactivateAccount(owner, { id: inactive.id });
    const powerless = await account('powerless', 'none');
    const floods = [
      { name: 'inactive', ...inactive, reason: 'account-inactive', status: 401 },
      { name: 'powerless', ...powerless, reason: 'permission-denied', status: 403 },
    ];
    for (const { token, status } of floods) {
      const answers = await call(place(), Array<string>(CALLS).fill(token));
      expect(new Set(answers.map(statusOf))).toEqual(new Set([status]));
    }
    for (const { id, name, reason } of floods) {
      const events = await recordOf(id);
      const folded = events.filter(({ count }) => count !== undefined);
      expect(events.length - folded.length).toBe(SINGLES);
      expect(folded.length).toBeGreaterThan(0);
      for (const event of folded)
        expect(event).toMatchObject({
          account: { id, name, kind: 'service' },
          decision: 'refusal',
          reason,
          clientAddress: '127.0.0.1',
          firstTime: expect.any(String),
          lastTime: expect.any(String),
        });
      const query = { account: { name }, cursor: null, limit: 500 };
      const shown = await gate.control.administration.activityPage(owner, query);
      expect(shown.items.some((line) => line.includes('"firstTime"'))).toBe(true);
    }
  });

  it('leaves the record of another account in its detail', async () => {
    const { id, token } = await account('quiet', 'none');
    await call(place('127.0.0.2'), [token], '/what/it/asked');
    const [event] = (await gate.events()).filter(
      (one) => (one.account as { id: string })?.id === id && one.phase === 'decision',
    );
    expect(event).toMatchObject({ reason: 'permission-denied', path: '/what/it/asked' });
  });
});

it('what an account is refused counts against what it may call in all', async () => {
  const upstream = await startRawUpstream();
  const gate = await startGateway({
    upstreams: { api: { addresses: [upstream.url] } },
    plaintext: true,
    limits: { accountRate: { requests: 5, windowSeconds: 3600 } } as never,
  });
  try {
    const { token } = await gate.createAccount({ name: 'asks', role: 'none' });
    const answers = await call(
      { port: gate.port, from: '127.0.0.1' },
      Array<string>(8).fill(token),
    );
    expect(answers.map(statusOf)).toEqual([403, 403, 403, 403, 403, 429, 429, 429]);
    expect(Number(fieldOf(answers[7]!, 'retry-after'))).toBeGreaterThan(0);
  } finally {
    await gate.stop();
    await upstream.stop();
  }
});

function standingFor(events: readonly AuditEvent[]): number {
  return events.reduce((sum, { count }) => sum + (typeof count === 'number' ? count : 1), 0);
}
