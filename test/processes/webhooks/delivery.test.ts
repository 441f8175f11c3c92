import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { owner, startGateway, type TestGateway } from '../../support/gateway.ts';
import { type RedisServer, redisMissing, startRedis } from '../../support/redis-server.ts';
import {
  type Received,
  startReceiver,
  type WebhookReceiver,
} from '../../support/webhook-receiver.ts';

/** Events go to a real receiver by HTTPS, from real gates, over both stores. */

const missing = redisMissing();
let dir: string;
let receiver: WebhookReceiver;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sallyport-webhooks-'));
  receiver = await startReceiver(dir);
});
afterAll(async () => {
  await receiver.stop();
  rmSync(dir, { recursive: true, force: true });
});
afterEach(() => {
  receiver.received.length = 0;
  receiver.answer = (response) => void response.writeHead(204).end();
});

const EVENTS = ['account-created', 'token-rotated', 'honey-token-presented'];

function hook(changes: object = {}) {
  const { url, caFile, secretFile } = receiver;
  const networks = ['127.0.0.0/8', '::1'];
  return { name: 'siem', url, events: EVENTS, secretFile, caFile, networks, ...changes };
}

const gateWith = (webhooks: readonly object[], store: 'embedded' | { readonly url: string }) =>
  startGateway({
    upstreams: { up: { addresses: ['http://127.0.0.1:9'] } },
    plaintext: true,
    admin: {},
    store,
    config: { webhooks },
  });

const named = (name: string) => (received: readonly Received[]) =>
  received.some(({ data }) => (data.target as { name?: string } | undefined)?.name === name);

const metricOf = async (gate: TestGateway, result: string) => {
  const text = await gate.gateway.metrics.text();
  const line = new RegExp(
    `^sallyport_webhook_deliveries_total\\{[^}]*result="${result}"[^}]*\\} (\\d+)$`,
    'm',
  );
  return Number(line.exec(text)?.[1] ?? 0);
};

describe.each(['embedded', 'redis'] as const)('over the %s store', (kind) => {
  let redis: RedisServer | null = null;
  let gate: TestGateway;
  const open = (webhooks: readonly object[]) =>
    gateWith(webhooks, redis === null ? 'embedded' : { url: redis.url });

  beforeAll(async () => {
    if (kind === 'redis' && missing === null) redis = await startRedis();
    if (kind === 'redis' && redis === null) return;
    gate = await open([hook()]);
    // Positions are taken at the first look: what is older is nobody's news.
    await ready(gate);
  });
  afterAll(async () => {
    await gate?.stop();
    await redis?.stop();
  });
  beforeEach((context) => {
    if (kind === 'redis' && missing !== null) context.skip(missing);
  });

  /** Until the hook is under way. */
  async function ready(started: TestGateway): Promise<void> {
    const name = `probe-${Math.random().toString(36).slice(2)}`;
    for (let n = 0; n < 200; n += 1) {
      await started.createAccount({ name: `${name}-${n}`, role: 'none' });
      if (receiver.received.length > 0) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await receiver.waitFor('the first event', (received) => received.length > 0);
  }

  it('tells of what was asked for, signed, in order, and without secrets', async () => {
    const { token, id } = await gate.createAccount({ name: `a-${kind}`, role: 'tester' });
    await gate.administration.editAccount(owner, { name: `a-${kind}`, description: 'x' });
    const rotated = await gate.administration.rotateToken(owner, { name: `a-${kind}` });
    await receiver.waitFor('the rotation', (received) =>
      received.some(({ type }) => type === 'token-rotated'),
    );
    const about = receiver.received.filter(({ data }) => (data.target as { id: string }).id === id);
    expect(about.map(({ type }) => type)).toEqual(['account-created', 'token-rotated']);
    expect(receiver.received.every(({ isSigned }) => isSigned)).toBe(true);
    const [created] = about;
    expect(created!.headers).toMatchObject({ 'content-type': 'application/json' });
    expect(created!.data).toMatchObject({ phase: 'change', after: { name: `a-${kind}` } });
    const all = JSON.stringify(receiver.received);
    for (const secret of [token, rotated.token, 'digest', 'retired', 'password'])
      expect(all).not.toContain(secret);
  });

  it('tells of a honey token that somebody presents', async () => {
    const name = `bait-${kind}`;
    const made = await gate.administration.createServiceAccount(owner, {
      ...{ name, role: 'none', honey: true },
    });
    const response = await request(`${gate.url}/x`, {
      headers: { authorization: `Bearer ${made.token}` },
    });
    expect(response.statusCode).toBe(401);
    await response.body.dump();
    await receiver.waitFor('the notice', (received) =>
      received.some(({ type }) => type === 'honey-token-presented'),
    );
    const notice = receiver.received.find(({ type }) => type === 'honey-token-presented')!;
    expect(notice.data).toMatchObject({
      phase: 'notice',
      target: { name },
      requestId: response.headers['x-request-id'],
    });
    expect(notice.body).not.toContain(made.token);
  });

  it('tries again what was not taken, with the same id, before what comes after', async () => {
    let refusals = 1;
    receiver.answer = (response) => {
      refusals -= 1;
      if (refusals < 0) response.writeHead(200).end('x'.repeat(200_000));
      else response.writeHead(302, { location: `${receiver.url}/elsewhere` }).end();
    };
    const failed = await metricOf(gate, 'failed');
    for (const name of [`first-${kind}`, `second-${kind}`])
      await gate.createAccount({ name, role: 'none' });
    await receiver.waitFor('both', named(`second-${kind}`));
    const names = receiver.received.map(({ data }) => (data.target as { name: string }).name);
    expect(names).toEqual([`first-${kind}`, `first-${kind}`, `second-${kind}`]);
    expect(receiver.received[0]!.id).toBe(receiver.received[1]!.id);
    expect(await metricOf(gate, 'failed')).toBe(failed + 1);
  });

  it('counts what is configured from a reload on, and goes on where it was', async () => {
    const reload = (webhooks: readonly object[]) =>
      gate.gateway.reload(
        parseConfig(
          JSON.stringify({ ...(JSON.parse(gate.text) as object), webhooks }),
          join(gate.dataDir, 'test.yaml'),
        ).config,
      );
    reload([hook({ events: ['role-created'] })]);
    await gate.administration.createRole(owner, { name: `r-${kind}`, permissions: ['a:b'] });
    await receiver.waitFor('the role', (received) => received.length > 0);
    expect(receiver.received.map(({ type }) => type)).toEqual(['role-created']);
    reload([hook()]);
    await gate.createAccount({ name: `after-${kind}`, role: 'none' });
    await receiver.waitFor('the account', named(`after-${kind}`));
    expect(receiver.received.map(({ type }) => type)).toEqual(['role-created', 'account-created']);
  });

  it('says what there is, and sends a test, to whoever may', async () => {
    const { items } = await gate.gateway.control!.administration.listWebhooks(owner, {});
    expect(items).toEqual([
      {
        name: 'siem',
        url: receiver.url,
        events: EVENTS,
        networks: ['127.0.0.0/8', '::1'],
        secrets: 1,
      },
    ]);
    const { administration } = gate.gateway.control!;
    expect(await administration.testWebhook(owner, { name: 'siem' })).toEqual({
      delivered: true,
      why: null,
    });
    expect(receiver.received.at(-1)).toMatchObject({ type: 'webhook-test', isSigned: true });
    receiver.answer = (response) => void response.writeHead(500).end();
    expect(await administration.testWebhook(owner, { name: 'siem' })).toEqual({
      delivered: false,
      why: 'status 500',
    });
    await expect(administration.testWebhook(owner, { name: 'none' })).rejects.toMatchObject({
      code: 'not-found',
    });
  });
});

describe('two instances on one Redis', () => {
  it('deliver each event once, and the other goes on where the first has ended', async (context) => {
    if (missing !== null) return context.skip(missing);
    const redis = await startRedis();
    const store = { url: redis.url };
    const gates = [await gateWith([hook()], store), await gateWith([hook()], store)];
    try {
      const [first, second] = gates as [TestGateway, TestGateway];
      // The one that was started first looks first.
      await receiver.waitFor('nothing yet', () => true);
      const create = async (gate: TestGateway, names: readonly string[]) => {
        for (const name of names) await gate.createAccount({ name, role: 'none' });
      };
      for (let n = 0; receiver.received.length === 0 && n < 200; n += 1) {
        await create(first, [`probe-${n}`]);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await create(first, ['one', 'two', 'three']);
      await receiver.waitFor('three', named('three'));
      const ids = receiver.received.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      await first.stop();
      gates.shift();
      await create(second, ['four']);
      await receiver.waitFor('the fourth', named('four'));
      const after = receiver.received.map(({ id }) => id);
      expect(new Set(after).size).toBe(after.length);
    } finally {
      for (const gate of gates) await gate.stop();
      await redis.stop();
    }
  });
});

describe('a receiver', () => {
  it('on this machine gets nothing unless its networks say so, and a stranger’s CA is none', async () => {
    const gate = await gateWith(
      [
        { ...hook(), name: 'private', networks: undefined },
        { ...hook(), name: 'elsewhere', networks: ['10.0.0.0/8'] },
        { ...hook(), name: 'untrusted', caFile: undefined },
      ],
      'embedded',
    );
    try {
      const { administration } = gate.gateway.control!;
      const tested = async (name: string) =>
        (await administration.testWebhook(owner, { name })).why;
      expect(await tested('private')).toContain('not public');
      expect(await tested('elsewhere')).toContain('outside its networks');
      expect(await tested('untrusted')).toMatch(/CERT|SELF_SIGNED|VERIFY|issuer/i);
      expect(receiver.received).toEqual([]);
    } finally {
      await gate.stop();
    }
  });
});
