import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { DnsSource } from '../../src/names/dns-source.ts';
import { Resolver } from '../../src/names/resolver.ts';
import { type DnsService, startDns } from '../support/dns-server.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { openPool, type TestPool } from './pool.ts';

const NAME = '_http._tcp.service.test';
// Only reached when what is waited for does not happen.
const LIMIT = { timeout: 30_000 };

/** A name server, and so many services on ports of their own. */
async function world(count: number) {
  const dns = await startDns();
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-services-'));
  const names = new Resolver({
    clock: systemClock,
    source: new DnsSource(join(folder, 'none'), [dns.address]),
    hostsFile: join(folder, 'none'),
  });
  const all: RawUpstream[] = [];
  for (let index = 0; index < count; index += 1) all.push(await startRawUpstream());
  onTestFinished(async () => {
    names.close();
    await dns.close();
    await Promise.all(all.map((one) => one.stop()));
    rmSync(folder, { recursive: true });
  });
  dns.zone.set('a.service.test', { addresses: ['127.0.0.1'], ttlSeconds: 1 });
  /** Priority and weight of each. */
  const says = (...records: readonly (readonly [index: number, number, number])[]) =>
    dns.zone.set(NAME, {
      ttlSeconds: 1,
      services: records.map(
        ([index, priority, weight]): DnsService => ({
          host: 'a.service.test',
          port: all[index]!.port,
          priority,
          weight,
        }),
      ),
    });
  const open = () => openPool([], { names, addresses: [{ host: `srv:${NAME}`, port: 0 }] });
  return { all, dns, says, open };
}

async function known(test: TestPool): Promise<void> {
  await vi.waitFor(async () => expect(await test.call()).toBe(200), LIMIT);
}

async function shares(test: TestPool, all: readonly RawUpstream[], calls: number) {
  for (const one of all) one.clear();
  for (let index = 0; index < calls; index += 1) expect(await test.call()).toBe(200);
  return all.map(({ requests }) => requests.length);
}

it('servers of the first priority take the calls, each by its weight', LIMIT, async () => {
  const { all, says, open } = await world(3);
  says([0, 1, 10], [1, 1, 90], [2, 2, 100]);
  const test = open();
  await known(test);
  const [light, heavy, backup] = await shares(test, all, 400);
  expect(backup).toBe(0);
  // By chance: less than 1 in 10^9 is as far off as that.
  expect(light).toBeGreaterThan(5);
  expect(heavy).toBeGreaterThan(5 * light!);
});

it('those of the next priority come in while all before them fail', LIMIT, async () => {
  const { all, says, open } = await world(2);
  says([0, 1, 1], [1, 2, 1]);
  const test = open();
  await known(test);
  await all[0]!.stop();
  await vi.waitFor(async () => {
    expect(await test.call()).toBe(200);
    expect(all[1]!.requests.length).toBeGreaterThan(0);
  }, LIMIT);
});

it(
  'servers that the records name no more lose their calls to those that they name',
  LIMIT,
  async () => {
    const { all, says, open } = await world(2);
    says([0, 1, 1]);
    const test = open();
    await known(test);
    says([1, 1, 1]);
    await vi.waitFor(async () => expect(await shares(test, all, 3)).toEqual([0, 3]), LIMIT);
  },
);

it(
  'a service that is not known, or has no server, is unreachable, and is looked for',
  LIMIT,
  async () => {
    const { dns, says, open } = await world(1);
    dns.zone.set(NAME, {
      ttlSeconds: 1,
      services: [{ host: '.', port: 0, priority: 0, weight: 0 }],
    });
    const test = open();
    expect(await test.call()).toBe('unreachable');
    await vi.waitFor(() => expect(dns.asked).toContain(`33 ${NAME}`), LIMIT);
    says([0, 1, 1]);
    await known(test);
  },
);
