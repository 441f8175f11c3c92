import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { Agent, request as undici } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newAccountId } from '../../src/account/id.ts';
import { newToken, tokenDigest, tokenId } from '../../src/account/token.ts';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';

/** Tokens that are issued to be found: refused like any other, at every door, and told of. */

const trusting = new Agent({ connect: { rejectUnauthorized: false } });

let upstream: RawUpstream;
let gate: TestGateway;
/** A token that was replaced: what the bait's must not be told apart from. */
let retired: string;
/** Baits are made as they are needed: each is told of at once the first time alone. */
let baits = 0;

interface Bait {
  readonly id: string;
  readonly name: string;
  readonly token: string;
}

async function newBait(role = 'tester'): Promise<Bait> {
  baits += 1;
  const name = `bait-${baits}`;
  const { account, token } = await gate.administration.createServiceAccount(owner, {
    name,
    role,
    honey: true,
  });
  return { id: account.id, name, token };
}

beforeAll(async () => {
  upstream = await startRawUpstream();
  gate = await startGateway({
    upstreams: { recorder: { addresses: [upstream.url] } },
    http2: { enabled: true },
    admin: {},
    decision: {},
    // Whoever guesses is told so: these tests present more wrong tokens than that.
    config: { audit: { guarantee: 'acknowledged', foldRefusalsAfter: 20 } },
  });
  const made = await gate.createAccount({ name: 'rotated', role: 'tester' });
  retired = made.token;
  await gate.administration.rotateToken(owner, { name: 'rotated' });
});
afterAll(async () => {
  await gate.stop();
  await upstream.stop();
  await trusting.close();
});

/** A response without what differs between any two. */
interface Told {
  readonly status: number;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly body: string;
}

function told(status: number, headers: Readonly<Record<string, unknown>>, body: string): Told {
  const id = String(headers['x-request-id'] ?? '');
  const fields = Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => name !== 'date')
      .map(([name, value]) => [name, value === id ? 'ID' : value]),
  );
  return { status, fields, body: id === '' ? body : body.replaceAll(id, 'ID') };
}

async function asked(url: string, options: object = {}): Promise<Told> {
  const response = await undici(url, { dispatcher: trusting, ...options });
  return told(response.statusCode, response.headers, await response.body.text());
}

async function overHttp2(token: string): Promise<Told> {
  const session = connectHttp2(gate.url, { rejectUnauthorized: false });
  try {
    const stream = session.request({ ':path': '/x', authorization: `Bearer ${token}` });
    let body = '';
    stream.setEncoding('utf8').on('data', (piece: string) => {
      body += piece;
    });
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    await once(stream, 'end');
    return told(Number(headers[':status']), { ...headers }, body);
  } finally {
    session.close();
  }
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const portOf = (name: 'decision' | 'admin') => gate.gateway.addresses[name]!.port;

const DOORS = {
  http1: (token: string) => asked(`${gate.url}/x`, bearer(token)),
  http2: overHttp2,
  'decision endpoint, a proxy': (token: string) =>
    asked(`http://127.0.0.1:${portOf('decision')}/auth-request`, {
      headers: {
        authorization: `Bearer ${token}`,
        'x-original-method': 'GET',
        'x-original-url': 'https://localhost/x',
      },
    }),
  'decision endpoint, a program': (token: string) =>
    asked(`http://127.0.0.1:${portOf('decision')}/verify`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        token,
        method: 'GET',
        host: 'localhost',
        target: '/x',
        clientAddress: '192.0.2.1',
      }),
    }),
  'admin API': (token: string) =>
    asked(`https://127.0.0.1:${portOf('admin')}/api/v1/roles`, bearer(token)),
};

async function noticesOf({ id }: Bait) {
  const events = await gate.events();
  return events.filter(
    ({ phase, target }) => phase === 'notice' && (target as { id?: string } | undefined)?.id === id,
  );
}

async function presented(): Promise<number> {
  const text = await (await fetch(`${gate.opsUrl}/metrics`)).text();
  return Number(/^sallyport_honey_tokens_presented_total (\d+)$/m.exec(text)![1]);
}

describe.each(Object.entries(DOORS))('at the door %s', (_, ask) => {
  it('a honey token gets the bytes of a retired one, and is told of', async () => {
    const bait = await newBait();
    const before = await presented();
    expect(await ask(bait.token)).toEqual(await ask(retired));
    const [notice, ...others] = await noticesOf(bait);
    expect(others).toEqual([]);
    expect(notice).toMatchObject({
      type: 'honey-token-presented',
      account: null,
      target: { kind: 'account', id: bait.id, name: bait.name },
      tokenId: tokenId(tokenDigest(bait.token)),
    });
    const refusal = (await gate.events()).find(
      ({ phase, requestId }) => phase === 'decision' && requestId === notice!.requestId,
    );
    expect(refusal).toMatchObject({
      decision: 'refusal',
      reason: 'token-revoked',
      account: null,
      claimedAccountId: bait.id,
    });
    expect(await presented()).toBe(before + 1);
    const ofIt = { account: { id: bait.id }, phase: 'notice' };
    const { items } = await gate.control.administration.activityPage(owner, ofIt);
    expect(items.map((line) => JSON.parse(line).requestId)).toEqual([notice!.requestId]);
    expect(JSON.stringify(await gate.events())).not.toContain(bait.token);
  });
});

describe('a honey account', () => {
  it('is let in by no change of it, and a new token is bait, too', async () => {
    const { administration } = gate;
    const bait = await newBait('none');
    const { name } = bait;
    const kind = 'service';
    await administration.deactivateAccount(owner, { name, kind });
    await administration.activateAccount(owner, { name, kind });
    await administration.editAccount(owner, { name, kind, role: 'tester', expiresAt: null });
    await administration.grantRole(owner, { name, kind, application: 'One', role: 'tester' });
    await administration.declareServiceAccount(owner, { name, role: 'tester' });
    const rotated = await administration.rotateToken(owner, { name, kind, overlapMs: 60_000 });
    expect(rotated.account).toMatchObject({ honey: true, token: null, previousToken: null });
    for (const token of [bait.token, rotated.token])
      expect((await DOORS.http1(token)).status).toBe(401);
    expect((await noticesOf(bait)).map((one) => one.tokenId).sort()).toEqual(
      [bait.token, rotated.token].map((token) => tokenId(tokenDigest(token))).sort(),
    );
    await expect(administration.renewToken(owner, { token: rotated.token })).rejects.toMatchObject({
      code: 'stale',
    });
    expect(upstream.requests).toEqual([]);
  });

  it('is let in by no record that an import brings', async () => {
    const bait = await newBait();
    const text = (await exported()).find((one) => one.includes(bait.id))!;
    await gate.administration.deleteAccount(owner, { name: bait.name });
    const id = newAccountId();
    const token = newToken(id);
    const record = { ...(JSON.parse(text) as object), id, name: 'brought' };
    const live = { digest: tokenDigest(token), createdAt: new Date().toISOString() };
    await gate.administration.importRecord(owner, {
      kind: 'account',
      text: JSON.stringify({ ...record, token: live, retired: [] }),
    });
    expect((await DOORS.http1(token)).status).toBe(401);
    await gate.administration.deleteAccount(owner, { name: 'brought' });
    baits -= 1;
  });

  it('is found by its mark, and shown with it', async () => {
    const bait = await newBait();
    const page = await gate.administration.listAccounts(owner, { honey: true, limit: 500 });
    expect(page.items.length).toBe(baits);
    expect(page.items.every(({ honey }) => honey)).toBe(true);
    expect(page.total).toBe(baits);
    const all = await gate.administration.listAccounts(owner, { limit: 500 });
    expect(all.items.find(({ id }) => id === bait.id)!.honey).toBe(true);
    expect(all.items.find(({ name }) => name === 'rotated')!.honey).toBe(false);
    const unlike = await gate.administration.listAccounts(owner, {
      honey: true,
      search: 'rotated',
    });
    expect(unlike.items).toEqual([]);
  });

  it('can call nothing in the words of explain', async () => {
    const { name } = await newBait();
    const answer = await gate.control.administration.explain(owner, {
      account: name,
      method: 'GET',
      path: '/x',
    });
    expect(answer).toMatchObject({ allowed: false, reason: 'token-revoked' });
  });
});

describe('a flood', () => {
  it('of one honey token is told once and counted', async () => {
    const bait = await newBait();
    const before = await presented();
    for (let n = 0; n < 60; n += 1) expect((await DOORS.http1(bait.token)).status).toBe(401);
    expect(await noticesOf(bait)).toHaveLength(1);
    expect(await presented()).toBe(before + 60);
  });

  it('of other tokens hides no honey token', async () => {
    // Refusals of this address are counted by now, and no longer recorded one by one.
    for (let n = 0; n < 40; n += 1) await DOORS.http1(retired);
    const bait = await newBait();
    expect(await DOORS.http1(bait.token)).toEqual(await DOORS.http1(retired));
    expect(await noticesOf(bait)).toHaveLength(1);
  });
});

/** Texts of all records. */
async function exported(): Promise<string[]> {
  const texts: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await gate.administration.exportRecords(owner, { cursor });
    texts.push(...page.records.map(({ text }) => text));
    cursor = page.next;
  } while (cursor !== null);
  return texts;
}
