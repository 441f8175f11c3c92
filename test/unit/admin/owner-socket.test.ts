import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Control, createControl } from '../../../src/admin/control.ts';
import { connectOwner, type RemoteControl } from '../../../src/admin/owner-client.ts';
import {
  OWNER_LIMITS,
  ownerSocketPath,
  SocketPathTooLong,
} from '../../../src/admin/owner-protocol.ts';
import { type OwnerSocket, openOwnerSocket } from '../../../src/admin/owner-socket.ts';
import { openEmbeddedAudit } from '../../../src/audit/log/embedded/log.ts';
import type { AuditLog, AuditReader } from '../../../src/audit/port.ts';
import type { Route } from '../../../src/decision/route.ts';
import { ServedRegistry } from '../../../src/registry/served.ts';
import { StoreInUse } from '../../../src/store/fault.ts';
import { batchOf } from '../../support/audit-batch.ts';
import { answerToWhoLeaves } from '../../support/leaving.ts';
import { type Bench, openBench, owner, refusal } from './stores.ts';

describe('the socket of an owner', () => {
  let folder: string;
  let bench: Bench;
  let audit: AuditLog & AuditReader;
  let socket: OwnerSocket;
  let remote: RemoteControl;
  let control: Control;
  const faults: unknown[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sallyport-owner-'));
    bench = (await openBench('embedded'))!;
    audit = await openEmbeddedAudit({
      path: join(folder, 'audit.db'),
      retention: { days: 1, maxBytes: 0 },
      activityPerAccount: 1000,
    });
    socket = await open();
    remote = (await connectOwner(folder))!;
    faults.length = 0;
  });
  afterEach(async () => {
    remote.close();
    await socket.close();
    await audit.close();
    await bench.close();
    rmSync(folder, { recursive: true });
  });

  function open(): Promise<OwnerSocket> {
    const { store, clock } = bench;
    const routes: readonly Route[] = [
      {
        name: 'read',
        host: '*',
        path: '/apps/{app}/**',
        methods: ['GET'],
        access: 'account',
        application: { from: 'path', variable: 'app' },
        upstreamChecksApplications: false,
        bodyVariables: [],
        bodyVariableBytes: 65536,
        permissionTemplate: null,
        permission: 'apps:read',
        upstream: 'u',
        stripPrefix: '',
        caseInsensitive: false,
        acceptBareToken: false,
        headers: null,
        cors: null,
        acceptBasic: false,
        forwardAuthorization: false,
        audit: 'required',
        errors: 'problem',
        rateLimit: null,
        upgrade: [],
        bodyOn: [],
        action: null,
        rewriteOrigin: [],
      },
    ];
    const served = new ServedRegistry({ folder, store: 'embedded', remembers: false });
    const parts = { store, served, audit, clock, instance: 'i-1' };
    control = createControl({ ...parts, routes: () => routes });
    return openOwnerSocket({ dataDir: folder, control, onFault: (error) => faults.push(error) });
  }

  it('is open to its user alone', () => {
    expect(statSync(join(folder, 'owner.sock')).mode & 0o777).toBe(0o600);
  });

  it('does what administration does, and says no in the same words', async () => {
    const { administration } = remote.control;
    const { account, token } = await administration.createServiceAccount(owner, {
      name: 'ci',
      role: 'none',
    });
    expect(token).toHaveLength(66);
    expect(await administration.showAccount(owner, { name: 'ci' })).toEqual(
      await bench.admin.showAccount(owner, { name: 'ci' }),
    );
    const remotely = await refusal(
      administration.createServiceAccount(owner, { name: 'ci', role: 'nope', description: 'a\nb' }),
    );
    const locally = await refusal(
      bench.admin.createServiceAccount(owner, { name: 'ci', role: 'nope', description: 'a\nb' }),
    );
    expect(remotely).toEqual(locally);
    const [event] = (await bench.store.changes({ account: account.id, before: null, limit: 1 }))
      .items;
    expect(JSON.parse(event!)).toMatchObject({
      instance: 'i-1',
      actor: { name: 'tester', via: 'command-line', kind: 'operator' },
    });
    expect(faults).toEqual([]);
  });

  it('names page by page of whom a call would be let in', async () => {
    const { administration } = remote.control;
    await administration.createRole(owner, { name: 'reader', permissions: ['apps:read'] });
    for (let number = 0; number < 210; number += 1)
      await bench.admin.createServiceAccount(owner, {
        name: `ci-${number}`,
        role: number % 50 === 0 ? 'reader' : 'none',
      });
    const call = { method: 'GET', path: '/apps/CRM/x' };
    const first = await remote.control.administration.whoCan(owner, call);
    const second = await remote.control.administration.whoCan(owner, {
      ...call,
      cursor: first.next!,
    });
    expect([first.examined + second.examined, second.next]).toEqual([210, null]);
    const items = [...first.items, ...second.items].sort((a, b) =>
      a.account < b.account ? -1 : 1,
    );
    expect(items.map(({ account }) => account)).toEqual([
      'ci-0',
      'ci-100',
      'ci-150',
      'ci-200',
      'ci-50',
    ]);
    expect(items[0]).toMatchObject({
      permission: 'apps:read',
      application: 'CRM',
      rule: 'default',
    });
    const asked = (changes: object) =>
      remote.control.administration.whoCan(owner, { ...call, ...changes });
    await expect(asked({ path: '/elsewhere' })).rejects.toThrow('No route matches /elsewhere');
    await expect(asked({ method: 'POST' })).rejects.toThrow('not POST');
    await expect(asked({ cursor: '(x' })).rejects.toThrow('cursor');
    await expect(asked({ variables: 'x' })).rejects.toThrow('variables');
  });

  it('explains with the routes of the owner', async () => {
    const { administration } = remote.control;
    await administration.createRole(owner, { name: 'reader', permissions: ['apps:read'] });
    await administration.createServiceAccount(owner, { name: 'ci', role: 'none' });
    await administration.grantRole(owner, { name: 'ci', application: 'CRM', role: 'reader' });
    const allowed = await remote.control.administration.explain(owner, {
      account: 'ci',
      method: 'GET',
      path: '/apps/CRM/x',
    });
    expect(allowed).toMatchObject({
      allowed: true,
      route: 'read',
      rule: 'grant',
      role: 'reader',
      application: 'CRM',
    });
    const refused = await remote.control.administration.explain(owner, {
      account: 'ci',
      method: 'GET',
      path: '/apps/Billing/x',
    });
    expect(refused).toMatchObject({
      allowed: false,
      reason: 'permission-denied',
      rule: 'default',
      role: 'none',
    });
    const unknown = remote.control.administration.explain(owner, {
      account: 'nobody',
      method: 'GET',
      path: '/',
    });
    expect(await refusal(unknown)).toMatchObject({ code: 'not-found' });
  });

  it('lays calls and changes of an account into one log, newest first', async () => {
    const { account } = await remote.control.administration.createServiceAccount(owner, {
      name: 'ci',
      role: 'none',
    });
    const call = (time: string) => ({
      event: JSON.stringify({ time, phase: 'decision' }),
      account: account.id,
    });
    const entries = [call('2026-05-04T09:00:00.000Z'), call('2026-05-04T11:00:00.000Z')];
    await audit.append(batchOf('i-1', 1, entries));
    const { activityPage } = remote.control.administration;
    const { items: events } = await activityPage(owner, { account: { name: 'ci' } });
    expect(events.map((event) => JSON.parse(event).phase)).toEqual([
      'decision',
      'change',
      'decision',
    ]);
    const newest = await activityPage(owner, { account: { name: 'ci' }, limit: 1 });
    expect(newest.items).toEqual(events.slice(0, 1));
    expect((await activityPage(owner, { account: null })).items).toHaveLength(3);
  });

  it('reads no further for a client that has left', async () => {
    const { administration } = remote.control;
    await administration.createServiceAccount(owner, { name: 'ci', role: 'none' });
    const answer = answerToWhoLeaves(control.administration, () => {
      administration.accessMatrix(owner, { permission: 'a:read' }).catch(() => {});
      return { leave: () => remote.close() };
    });
    await expect(answer).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('follows: what was, then what comes, each once', async () => {
    const { account } = await remote.control.administration.createServiceAccount(owner, {
      name: 'ci',
      role: 'none',
    });
    const stop = new AbortController();
    const seen: string[] = [];
    for await (const item of remote.control.follow(
      owner,
      { account: { name: 'ci' } },
      stop.signal,
    )) {
      if (!('event' in item)) continue;
      seen.push(JSON.parse(item.event).id);
      if (seen.length === 4) stop.abort();
      else {
        const event = JSON.stringify({ id: `call-${seen.length}`, time: new Date().toISOString() });
        await audit.append(batchOf('i-1', seen.length, [{ event, account: account.id }]));
      }
    }
    expect(seen.slice(1)).toEqual(['call-1', 'call-2', 'call-3']);
  });

  it('replaces the file of an owner that was killed, and no other', async () => {
    await expect(open()).rejects.toThrow(StoreInUse);
    await socket.close();
    // A listener that goes without removing its file, as a kill would.
    const path = ownerSocketPath(folder);
    const killed = createServer().listen(path);
    await once(killed, 'listening');
    expect(existsSync(path)).toBe(true);
    const left = `${path}.left`;
    renameSync(path, left);
    killed.close();
    await once(killed, 'close');
    renameSync(left, path);
    expect(await connectOwner(folder)).toBeNull();
    socket = await open();
    const again = await connectOwner(folder);
    expect(again).not.toBeNull();
    again?.close();
  });

  it('answers that there is no owner where there is none', async () => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    expect(await connectOwner(empty)).toBeNull();
  });

  it('says what to do about a path that is too long for a socket', () => {
    expect(() => ownerSocketPath(join('/', 'x'.repeat(120)))).toThrow(SocketPathTooLong);
    // Too long as a whole, near enough from here.
    expect(ownerSocketPath(join(process.cwd(), 'y'.repeat(90)))).toBe(
      join('y'.repeat(90), 'owner.sock'),
    );
  });

  it.each<[string, string, RegExp]>([
    ['what is no JSON', 'GET / HTTP/1.1', /cannot be read/],
    ['what is no request', '[]', /cannot be read/],
    ['another version', '{"v":2,"id":1,"op":"hello","as":"x"}', /another version/],
    [
      'an operation that does not exist',
      '{"v":1,"id":1,"op":"constructor","as":"x"}',
      /does not know/,
    ],
    [
      'an input that is none',
      '{"v":1,"id":1,"op":"showAccount","as":"x","input":null}',
      /name: is missing/,
    ],
    [
      'a question without anything',
      '{"v":1,"id":1,"op":"explain","as":"x"}',
      /account: is missing/,
    ],
    [
      'an activity query of the wrong shape',
      '{"v":1,"id":1,"op":"activityPage","as":"x","input":{"account":7}}',
      /must be an object/,
    ],
  ])('refuses %s in words', async (_what, line, words) => {
    const raw = connect(socket.path);
    raw.write(`${line}\n`);
    const answer = await firstLine(raw);
    raw.destroy();
    expect(answer.error.message).toMatch(words);
    expect(answer.error.code).toBe('invalid');
  });

  it('closes the connection on a line that does not end', async () => {
    const raw = connect(socket.path);
    raw.on('error', () => {});
    raw.write('x'.repeat(OWNER_LIMITS.requestBytes + 1));
    const closed = once(raw, 'close');
    expect((await firstLine(raw)).error.message).toContain('longer than');
    await closed;
  });

  it('answers requests sent at once one after the other, and cuts off whoever sends too many', async () => {
    const raw = connect(socket.path);
    raw.on('error', () => {});
    let text = '';
    raw.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    const line = (id: number) => `${JSON.stringify({ v: 1, id, op: 'hello', as: 'x' })}\n`;
    raw.write(line(1) + line(2) + line(3));
    await expect.poll(() => text.split('\n').length, { timeout: 10_000 }).toBe(4);
    expect([...text.matchAll(/"id":(\d)/g)].map((match) => match[1])).toEqual(['1', '2', '3']);
    raw.write(Array.from({ length: 50 }, (_, id) => line(id)).join(''));
    await once(raw, 'close');
    expect(text).toContain('too many requests');
  });

  it('tells a client that waits when the owner goes', async () => {
    await remote.control.administration.createServiceAccount(owner, { name: 'ci', role: 'none' });
    const stop = new AbortController();
    const items = remote.control.follow(owner, { account: null }, stop.signal);
    await items.next();
    await socket.close();
    const next = (async () => {
      for await (const _item of items);
    })();
    expect(await refusal(next)).toMatchObject({ code: 'unavailable' });
    expect(existsSync(socket.path)).toBe(false);
    socket = await open();
  });
});

async function firstLine(socket: Socket): Promise<{ error: { code: string; message: string } }> {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await expect.poll(() => text, { timeout: 10_000 }).toContain('\n');
  return JSON.parse(text.slice(0, text.indexOf('\n')));
}
