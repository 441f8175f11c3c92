import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { DnsSource } from '../../src/names/dns-source.ts';
import { Resolver } from '../../src/names/resolver.ts';
import { type DnsServer, startDns } from '../support/dns-server.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { openPool, type TestPool } from './pool.ts';

const NAME = 'service.internal.test';
// Only reached when what is waited for does not happen.
const LIMIT = { timeout: 30_000 };

/** A name server, and services on loopback addresses of one port. */
async function world(hosts: readonly string[]) {
  const dns: DnsServer = await startDns();
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-names-'));
  const names = new Resolver({
    clock: systemClock,
    source: new DnsSource(join(folder, 'none'), [dns.address]),
    hostsFile: join(folder, 'none'),
  });
  const all: RawUpstream[] = [];
  for (const host of hosts)
    all.push(await startRawUpstream({ at: { host, port: all[0]?.port ?? 0 } }));
  onTestFinished(async () => {
    names.close();
    await dns.close();
    await Promise.all(all.map((one) => one.stop()));
    rmSync(folder, { recursive: true });
  });
  const points = (...addresses: string[]) => dns.zone.set(NAME, { addresses, ttlSeconds: 1 });
  const open = () => openPool([], { names, addresses: [{ host: NAME, port: all[0]!.port }] });
  return { all, dns, points, open };
}

/** Calls until each one of these, and nobody else, is asked. */
async function servedBy(test: TestPool, all: readonly RawUpstream[], wanted: readonly number[]) {
  await vi.waitFor(async () => {
    for (const one of all) one.clear();
    for (let i = 0; i < 10; i += 1) expect(await test.call()).toBe(200);
    const asked = all.flatMap((one, index) => (one.requests.length > 0 ? [index] : []));
    expect(asked).toEqual(wanted);
  }, LIMIT);
}

it(
  'a name that moves takes the calls with it, and the connections to where it was close',
  LIMIT,
  async () => {
    const { all, points, open } = await world(['127.0.0.1', '127.0.0.2']);
    points('127.0.0.1');
    const test = open();
    await servedBy(test, all, [0]);
    points('127.0.0.2');
    await servedBy(test, all, [1]);
    await all[0]!.waitFor('the end of the old connections', ({ connections }) =>
      connections.every(({ closed }) => closed !== 'open'),
    );
  },
);

it('the places of one name share the calls, and one that fails is left out', LIMIT, async () => {
  const { all, points, open } = await world(['127.0.0.1', '127.0.0.2', '127.0.0.3']);
  points('127.0.0.1', '127.0.0.2', '127.0.0.3');
  const test = open();
  await servedBy(test, all, [0, 1, 2]);
  await all[1]!.stop();
  await vi.waitFor(async () => {
    for (const one of all) one.clear();
    for (let i = 0; i < 6; i += 1) expect(await test.call()).toBe(200);
  }, LIMIT);
  expect(test.usable()).toEqual([true]);
});

it('a name that is not answered any more goes on standing for what it was', LIMIT, async () => {
  const { all, dns, points, open } = await world(['127.0.0.1']);
  points('127.0.0.1');
  const test = open();
  await servedBy(test, all, [0]);
  dns.zone.set(NAME, 'silent');
  const before = dns.asked.length;
  await vi.waitFor(() => expect(dns.asked.length).toBeGreaterThan(before + 4), LIMIT);
  await servedBy(test, all, [0]);
});

it('a name that nobody answers fails by itself, within the time for a connection', async () => {
  const { all, dns } = await world(['127.0.0.1']);
  dns.zone.set(NAME, 'silent');
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-names-'));
  const names = new Resolver({
    clock: systemClock,
    source: new DnsSource(join(folder, 'none'), [dns.address]),
  });
  onTestFinished(() => {
    names.close();
    rmSync(folder, { recursive: true });
  });
  const address = { host: NAME, port: all[0]!.port };
  const test = openPool([], { names, addresses: [address], connectTimeoutMs: 300 });
  expect(await test.call()).toBe('unreachable');
});

it('a connection serves no longer than its greatest age, and ends no exchange', async () => {
  const upstream = await startRawUpstream();
  onTestFinished(() => upstream.stop());
  const test = openPool([upstream.port], { maxConnectionAgeMs: 0 });
  for (let i = 0; i < 3; i += 1) expect(await test.call()).toBe(200);
  expect(upstream.connections).toHaveLength(3);
  const lasting = openPool([upstream.port]);
  for (let i = 0; i < 3; i += 1) expect(await lasting.call()).toBe(200);
  expect(upstream.connections).toHaveLength(4);
});
