import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext, vi } from 'vitest';
import { storeOwner } from '../../src/admin/actor.ts';
import { type Administration, createAdministration } from '../../src/admin/administration.ts';
import { systemClock } from '../../src/clock.ts';
import { parseConfig } from '../../src/config/load.ts';
import { earlierVersion } from '../support/earlier-version.ts';
import { MAIN } from '../support/main.ts';
import { startRedis } from '../support/redis-server.ts';
import { makeRedisUsers } from '../support/redis-users.ts';
import { openWithRegistry } from '../support/registry.ts';
import { requireOrSkip } from '../support/system.ts';
import { type RunningGate, Version } from '../support/version.ts';

const TEST_MS = 120_000;
const APPLIED_MS = 30_000;
const owner = storeOwner('test', 'command-line');
const home = mkdtempSync(join(tmpdir(), 'sallyport-upgrade-'));
const upstream = createServer((_request, response) => response.end('done'));
const earlier = earlierVersion(join(home, 'earlier'));
const present = new Version(MAIN);
const old = new Version('main' in earlier ? earlier.main : '');
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
});

afterAll(async () => {
  for (const version of [old, present]) version.close();
  for (const end of ends.reverse()) await end();
  upstream.close();
  rmSync(home, { recursive: true, force: true });
});

interface Receipt {
  readonly revocation: { readonly effective: boolean; readonly instances: number };
}

describe('an earlier version and this one', () => {
  it('serve one Redis side by side, and each honours what the other changes; and back', {
    timeout: TEST_MS,
  }, async (ctx) => {
    skipWithout(ctx, 'redis-server', 'git');
    const { manage, gateA, gateB } = await onRedis();
    await old.run('registry', 'init', '--config', manage);
    const administration = await administrationOf(manage);
    const role = { name: 'caller', description: '', permissions: ['test:all'] };
    await administration.createRole(owner, role);
    const words = ['--config', manage, '--yes'];
    const create = ['account', 'create', 'of-old', '--role', 'caller', '--config', manage];
    const byOld = await old.run(...create);
    const [a, b] = await Promise.all([old.serve(gateA), present.serve(gateB)]);
    const byNew = await administration.createServiceAccount(owner, {
      name: 'of-new',
      description: '',
      role: 'caller',
    });
    await bothSay(200, byOld, a, b);
    await bothSay(200, byNew.token, a, b);

    // A rotation by each, of what the other one made.
    const rotated = await administration.rotateToken(owner, { name: 'of-old' });
    expect(rotated.revocation).toMatchObject({ effective: true, instances: 2 });
    await bothSay(401, byOld, a, b);
    await bothSay(200, rotated.token, a, b);
    const again = await old.json<Receipt & { token: string }>(
      ...['account', 'rotate', 'of-new', ...words],
    );
    expect(again.revocation).toMatchObject({ effective: true, instances: 2 });
    await bothSay(401, byNew.token, a, b);
    await bothSay(200, again.token, a, b);
    const stopped = await old.json<Receipt>(...['account', 'deactivate', 'of-old', ...words]);
    expect(stopped.revocation).toMatchObject({ effective: true, instances: 2 });
    await bothSay(401, rotated.token, a, b);
    await administration.activateAccount(owner, { name: 'of-old' });
    await soon(200, rotated.token, a, b);

    // What the earlier version could not read is not written while it runs.
    const narrow = { name: 'of-new', allowedNetworks: ['127.0.0.0/8'] };
    await expect(administration.editAccount(owner, narrow)).rejects.toThrow(/upgrade gate-a-/);
    await bothSay(200, again.token, a, b);

    // On: the instance goes on in its folder; and back, with what this version has left there.
    expect(await a.end()).toBe(0);
    const onward = await present.serve(gateA);
    const narrowed = await administration.editAccount(owner, narrow);
    expect(narrowed.revocation).toMatchObject({ effective: true, instances: 2 });
    await bothSay(200, rotated.token, onward, b);
    await bothSay(200, again.token, onward, b);
    expect(await Promise.all([onward.end(), b.end()])).toEqual([0, 0]);
    const back = await old.serve(gateB);
    expect(await back.status(rotated.token)).toBe(200);
    expect(await back.status(again.token)).toBe(503);
    expect((await old.outcome('account', 'rotate', 'of-new', ...words)).code).toBe(3);
    await administration.editAccount(owner, { name: 'of-new', allowedNetworks: [] });
    await soon(200, again.token, back);
    expect(await back.end()).toBe(0);
    for (const version of [old, present])
      expect(await version.json<object>('audit', 'verify', '--config', manage)).toMatchObject({
        gaps: 0,
        edits: 0,
      });
  });

  it('part ways on an embedded store: it is brought up to date, and a copy leads back', {
    timeout: TEST_MS,
  }, async (ctx) => {
    skipWithout(ctx, 'git');
    const file = config('alone', { kind: 'embedded' });
    const data = join(home, 'alone');
    await old.run('role', 'create', 'caller', '--permission', 'test:all', '--config', file);
    const create = ['account', 'create', 'of-old', '--role', 'caller', '--config', file];
    const token = await old.run(...create);
    cpSync(data, `${data}.copy`, { recursive: true });
    const gate = await present.serve(file);
    expect(await gate.status(token)).toBe(200);
    expect(await gate.end()).toBe(0);

    const refused = await old.outcome('account', 'list', '--config', file);
    expect(refused.code).toBe(3);
    expect(refused.err).toMatch(
      /registry\.db is written in schema \d+, which this version does not/,
    );
    rmSync(data, { recursive: true });
    cpSync(`${data}.copy`, data, { recursive: true });
    const back = await old.serve(file);
    expect(await back.status(token)).toBe(200);
    expect(await back.end()).toBe(0);
  });
});

function skipWithout(ctx: TestContext, ...parts: Parameters<typeof requireOrSkip>[1][]): void {
  requireOrSkip(ctx, ...parts);
  if ('missing' in earlier) ctx.skip(earlier.missing);
}

/** With the users that this version needs, which is how an upgrade begins. */
async function onRedis() {
  const users = await makeRedisUsers();
  ends.push(() => users.remove());
  const redis = await startRedis({ aclFile: users.aclFile, appendOnly: 'unsynced' });
  ends.push(() => redis.stop());
  const store = (user: object) => ({ kind: 'redis', url: redis.url, ...user });
  return {
    manage: config('manage', store(users.manager)),
    gateA: config('gate-a', store(users.gate)),
    gateB: config('gate-b', store(users.gate)),
  };
}

/** Only what both versions know. Answers the file. */
function config(name: string, store: object): string {
  const file = join(home, `${name}.yaml`);
  const { port } = upstream.address() as AddressInfo;
  const text = {
    instance: { name, dataDir: `./${name}`, lameDuckMs: 0 },
    listen: { proxy: { address: '127.0.0.1:0', plaintext: true } },
    store,
    upstreams: { up: { addresses: [`http://127.0.0.1:${port}`] } },
    routes: [
      {
        name: 'all',
        path: '/**',
        methods: ['GET'],
        application: 'any',
        permission: 'test:all',
        upstream: 'up',
      },
    ],
  };
  writeFileSync(file, JSON.stringify(text));
  return file;
}

async function administrationOf(file: string): Promise<Administration> {
  const stores = await openWithRegistry(parseConfig(readFileSync(file, 'utf8'), file).config);
  ends.push(() => stores.close());
  return createAdministration({ ...stores, clock: systemClock, instance: null });
}

async function bothSay(status: number, token: string, ...gates: readonly RunningGate[]) {
  const said = await Promise.all(gates.map((gate) => gate.status(token)));
  expect(said, gates.map((gate) => gate.log()).join('\n')).toEqual(gates.map(() => status));
}

/** What is wanted is in force when it is told, what lets in only soon after. */
async function soon(status: number, token: string, ...gates: readonly RunningGate[]) {
  await vi.waitFor(() => bothSay(status, token, ...gates), { timeout: APPLIED_MS, interval: 50 });
}
