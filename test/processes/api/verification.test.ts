import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { storeOwner } from '../../../src/admin/actor.ts';
import type { VerificationState } from '../../../src/admin/audit-runs.ts';
import { connectServer, type ServerControl } from '../../../src/admin/remote/server-control.ts';
import type { AuditVerification } from '../../../src/admin/verify-audit.ts';
import { type ApiBench, openApi } from '../../support/api/api.ts';
import { findRedisServer, startRedis } from '../../support/redis-server.ts';
import { takeOut, takeOutChange } from '../../support/redis-streams.ts';

const PATH = '/audit/verification';

describe.runIf(findRedisServer() !== null)('verification of the record over the API', () => {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let api: ApiBench;
  let server: ServerControl;
  let whole: AuditVerification;
  const actor = storeOwner('somebody', 'command-line');

  beforeAll(async () => {
    redis = await startRedis();
    api = await openApi({ store: { kind: 'redis', url: redis.url } });
    for (let n = 0; n < 20; n += 1) await api.call('GET', '/roles');
    await api.test.events();
    const { url, ca, administrator } = api;
    server = connectServer({ url: new URL(url), ca, token: administrator.token });
  });
  afterAll(async () => {
    server.close();
    await api.stop();
    await redis.stop();
  });

  const stateNow = async () => (await api.call('GET', PATH)).body as VerificationState;
  const over = () =>
    vi.waitFor(async () => {
      const { running, last } = await stateNow();
      expect(running).toBeNull();
      return last!;
    }, 20_000);

  it('knows of none before the first, begins one, and shows what it has found', async () => {
    expect(await stateNow()).toEqual({ running: null, last: null });
    const begun = await api.call('POST', PATH);
    expect(begun).toMatchObject({ status: 202, body: { running: { number: 1 }, last: null } });
    const { result, ...about } = await over();
    expect(about).toMatchObject({ number: 1, by: 'administrator-account', fault: null });
    expect(result).toMatchObject({ gaps: 0, edits: 0, findings: [], trusted: false });
    expect(result?.events).toBeGreaterThan(20);
  });

  it('refuses another one while one is under way', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => api.call('POST', PATH)));
    const refused = answers.filter(({ status }) => status === 409);
    expect(answers.some(({ status }) => status === 202)).toBe(true);
    for (const { body } of refused)
      expect(body).toMatchObject({
        reason: 'conflict',
        detail: expect.stringContaining('is under way'),
      });
    expect(refused.length).toBeGreaterThan(0);
    await over();
  });

  it('waits for the result from afar, and compares it with keys that were kept apart', async () => {
    whole = await server.control.verification.run(actor, {});
    expect(whole).toMatchObject({ gaps: 0, edits: 0, trusted: false });
    const { verification } = server.control;
    const compared = await verification.run(actor, { trust: whole.trust });
    expect(compared).toMatchObject({ gaps: 0, edits: 0, trusted: true });
    const { status, body } = await api.call('POST', PATH, { body: { trust: { keys: [] } } });
    expect([status, body]).toMatchObject([422, { faults: expect.anything() }]);
    const nothing = { keys: [], heads: [] };
    await expect(verification.run(actor, { trust: nothing })).rejects.toThrow('holds no key');
  });

  it('names an administrative change that was taken out', async () => {
    const before = await server.control.verification.run(actor, {});
    expect(before).toMatchObject({ gaps: 0, edits: 0, registry: { unnumbered: 0 } });
    await api.call('POST', '/roles', { body: { name: 'taken', permissions: [] } });
    await api.call('POST', '/roles', { body: { name: 'kept', permissions: [] } });
    const seq = before.registry!.newest + 1;
    await takeOutChange(redis.url, seq);
    const { findings, gaps, registry } = await server.control.verification.run(actor, {});
    expect(gaps).toBe(1);
    expect(findings).toMatchObject([{ kind: 'missing', instance: null, firstSeq: seq }]);
    expect(registry).toMatchObject({ newest: seq + 1 });
  });

  it('names what was taken out', async () => {
    await takeOut(redis.url, 9);
    const { findings, gaps } = await server.control.verification.run(actor, {});
    expect(gaps).toBe(2);
    expect(findings[0]).toMatchObject({ kind: 'missing', firstSeq: 9, lastSeq: 9 });
  });
});
