import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DnsSource } from '../../../src/names/dns-source.ts';
import { parseHosts } from '../../../src/names/hosts-file.ts';
import { candidatesFor, parseSearchRules } from '../../../src/names/resolv-conf.ts';
import { NAME_LIMITS, Resolver } from '../../../src/names/resolver.ts';
import { type DnsServer, startDns } from '../../support/dns-server.ts';

let dns: DnsServer;
let folder: string;
let resolver: Resolver;
const clock = { ms: 0, wallMs: () => clock.ms, monotonicMs: () => clock.ms };

beforeEach(async () => {
  dns = await startDns();
  folder = mkdtempSync(join(tmpdir(), 'sallyport-names-'));
  writeFileSync(join(folder, 'hosts'), '# none\n10.9.9.9 listed LISTED.example\n');
  writeFileSync(join(folder, 'resolv.conf'), 'search ns.test\noptions ndots:2\n');
  resolver = new Resolver({
    clock,
    source: new DnsSource(join(folder, 'resolv.conf'), [dns.address]),
    hostsFile: join(folder, 'hosts'),
  });
});
afterEach(async () => {
  resolver.close();
  await dns.close();
  rmSync(folder, { recursive: true });
});

function says(name: string, addresses: readonly string[], ttlSeconds = 1): void {
  dns.zone.set(name, { addresses, ttlSeconds });
}

describe('a name', () => {
  it('is itself when it is an address, and what the hosts file says when that names it', async () => {
    expect(await resolver.resolve('10.1.2.3')).toEqual(['10.1.2.3']);
    expect(await resolver.resolve('::1')).toEqual(['::1']);
    expect(await resolver.resolve('Listed.Example')).toEqual(['10.9.9.9']);
    expect(await resolver.resolve('localhost')).toEqual(['127.0.0.1', '::1']);
    expect(dns.asked).toEqual([]);
  });

  it('is tried in the search domains, before or after itself as its dots say', async () => {
    says('api.ns.test', ['10.0.0.1']);
    says('a.b.example', ['10.0.0.2']);
    expect(await resolver.resolve('api')).toEqual(['10.0.0.1']);
    expect(await resolver.resolve('a.b.example')).toEqual(['10.0.0.2']);
    expect(dns.asked).not.toContain('A a.b.example.ns.test');
    says('exact', ['10.0.0.3']);
    expect(await resolver.resolve('exact.')).toEqual(['10.0.0.3']);
    expect(dns.asked).not.toContain('A exact.ns.test');
  });

  it('is asked for once however many wait, and again when its time to live is over', async () => {
    says('one.two.example', ['10.0.0.1']);
    await Promise.all(Array.from({ length: 50 }, () => resolver.resolve('one.two.example')));
    const asked = () => dns.asked.filter((line) => line === 'A one.two.example').length;
    expect(asked()).toBe(1);
    await resolver.resolve('one.two.example');
    expect(asked()).toBe(1);
    clock.ms += NAME_LIMITS.minTtlMs + 1;
    says('one.two.example', ['10.0.0.2']);
    expect(await resolver.resolve('one.two.example')).toEqual(['10.0.0.2']);
    expect(asked()).toBe(2);
  });

  it('keeps its last good answer while no new one can be had, and not for ever', async () => {
    says('one.two.example', ['10.0.0.1']);
    await resolver.resolve('one.two.example');
    for (const state of ['servfail', undefined, 'silent'] as const) {
      clock.ms += NAME_LIMITS.maxTtlMs + 1;
      if (state === undefined) dns.zone.delete('one.two.example');
      else dns.zone.set('one.two.example', state);
      expect(await resolver.resolve('one.two.example')).toEqual(['10.0.0.1']);
    }
    dns.zone.set('one.two.example', 'servfail');
    // The silent question may still be under way.
    await vi.waitFor(async () => {
      clock.ms += NAME_LIMITS.staleMs;
      await expect(resolver.resolve('one.two.example')).rejects.toThrow();
    }, 10_000);
  });

  it('that is not answered holds up no other', { timeout: 20_000 }, async () => {
    for (let i = 0; i < 50; i += 1) dns.zone.set(`dead${i}.two.example`, 'silent');
    says('one.two.example', ['10.0.0.1']);
    const order: string[] = [];
    const dead = Array.from({ length: 50 }, (_, i) =>
      resolver.resolve(`dead${i}.two.example`).catch(({ code }) => order.push(code)),
    );
    order.push((await resolver.resolve('one.two.example'))[0]!);
    await Promise.all(dead);
    expect(order).toEqual(['10.0.0.1', ...Array(50).fill('ETIMEOUT')]);
  });

  it('that does not exist is told from one that nobody can tell', async () => {
    dns.zone.set('sick.two.example', 'servfail');
    await expect(resolver.resolve('gone.two.example')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    await expect(resolver.resolve('sick.two.example')).rejects.toMatchObject({ code: 'ESERVFAIL' });
  });
});

describe('a watch', () => {
  it('tells the addresses when they are known and whenever they change', {
    timeout: 20_000,
  }, async () => {
    says('one.two.example', ['10.0.0.1', '10.0.0.2']);
    const told: string[] = [];
    const real = new Resolver({
      clock: { wallMs: Date.now, monotonicMs: () => performance.now() },
      source: new DnsSource(join(folder, 'resolv.conf'), [dns.address]),
      hostsFile: join(folder, 'hosts'),
    });
    const end = real.watch('one.two.example', (all) => told.push([...all].sort().join(' ')));
    await vi.waitFor(() => expect(told).toEqual(['10.0.0.1 10.0.0.2']), 10_000);
    says('one.two.example', ['10.0.0.2', '10.0.0.1']);
    says('other.two.example', ['10.0.0.3']);
    says('one.two.example', ['10.0.0.3']);
    await vi.waitFor(() => expect(told).toEqual(['10.0.0.1 10.0.0.2', '10.0.0.3']), 10_000);
    end();
    real.close();
  });
});

it('is what sockets connect by', async () => {
  says('one.two.example', ['127.0.0.1']);
  const server = createServer((socket) => socket.end('hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const socket = connect({ host: 'one.two.example', port, lookup: resolver.lookup });
  const text = await new Promise((resolve) => socket.once('data', (data) => resolve(String(data))));
  expect(text).toBe('hello');
  socket.destroy();
  server.close();
});

describe('the files of the system', () => {
  it('are read as their manuals say', () => {
    expect(
      parseHosts('127.0.0.1\tlocalhost # home\nnonsense x\n::1 localhost ip6-localhost'),
    ).toEqual(
      new Map([
        ['localhost', ['127.0.0.1', '::1']],
        ['ip6-localhost', ['::1']],
      ]),
    );
    expect(parseSearchRules('domain a.b\nsearch x.y. Z\noptions timeout:1 ndots:5 # x\n')).toEqual({
      search: ['x.y', 'z'],
      ndots: 5,
    });
    expect(candidatesFor('a.b', { search: ['s'], ndots: 5 })).toEqual(['a.b.s', 'a.b']);
    expect(candidatesFor('a.b', { search: ['s'], ndots: 1 })).toEqual(['a.b', 'a.b.s']);
    expect(candidatesFor('a.b.', { search: ['s'], ndots: 1 })).toEqual(['a.b']);
  });
});
