import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { answerFor, type Door, type DoorOptions, startDoor } from '../integration/door/door.ts';
import { freePort } from '../support/free-port.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import type { RawClient } from '../support/raw-client.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';
import { newAuthority, writeCertificate } from '../unit/tls/samples.ts';

type Upstreams = Record<string, Record<string, unknown>>;

/** Takes the gate's configuration over again, with its upstreams as `change` makes them. */
function reload(
  gate: TestGateway,
  change: (upstreams: Upstreams) => void = () => {},
  more = {},
): void {
  const text = JSON.parse(gate.text) as { upstreams: Upstreams; routes: unknown[] };
  const tree = { ...text, ...more };
  change(tree.upstreams);
  if (tree.upstreams.raw === undefined) tree.routes = [];
  const { config } = parseConfig(JSON.stringify(tree), join(gate.dataDir, 'test.yaml'));
  gate.gateway.reload(config);
}

/** A gate whose upstream answers targets with `held` when the test says so. */
async function holdingDoor(options: DoorOptions = {}) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const door = await startDoor({
    upstream: {
      answer: (request) =>
        request.line.includes('held')
          ? [{ until: promise }, ...answerFor(request)]
          : answerFor(request),
    },
    ...options,
  });
  const hold = async (count: number, line: string): Promise<readonly RawClient[]> => {
    const before = door.upstream.requests.length;
    const clients = await Promise.all(Array.from({ length: count }, () => door.connect()));
    for (const client of clients) await client.send(line);
    await door.upstream.waitFor(
      `${count} requests`,
      ({ requests }) => requests.length === before + count,
    );
    return clients;
  };
  const release = async (clients: readonly RawClient[]) => {
    resolve();
    for (const client of clients)
      await client.waitFor('its answer', (bytes) => bytes.includes('for '));
  };
  return { door, hold, release };
}

const stranger = (target: string, ...fields: string[]) =>
  `${[`GET /public/${target} HTTP/1.1`, 'Host: a', ...fields].join('\r\n')}\r\n\r\n`;

const status = async (door: Door, head: string) =>
  Number((await door.talk([head])).text.split(' ')[1]);

const askStranger = (door: Door) => status(door, stranger('x', 'Connection: close'));
const askAccount = (door: Door) => status(door, door.head('GET /x', 'Connection: close'));

async function metric(gate: TestGateway, labelled: string): Promise<number | null> {
  const text = await gate.gateway.metrics.text();
  const line = text.split('\n').find((one) => one.startsWith(`sallyport_upstream_${labelled} `));
  return line === undefined ? null : Number(line.split(' ').at(-1));
}

const connections = (door: Door, state: string) =>
  metric(door.gate, `connections{upstream="raw",state="${state}"}`);

/** Kept by every reload of a test: a second address that refuses, or fails its checks. */
const withSecond =
  (url: string, more: (raw: Record<string, unknown>) => void = () => {}) =>
  ({ raw }: Upstreams) => {
    raw!.addresses = [...(raw!.addresses as string[]), url];
    more(raw!);
  };

/** What makes an upstream another one, each in its own way. */
const CHANGES: Readonly<Record<string, (raw: Record<string, unknown>) => void>> = {
  'its fields': (raw) => {
    raw.headers = { remove: ['X-Debug'] };
  },
  'its time-outs': (raw) => {
    raw.responseTimeoutMs = 77_000;
  },
  'the order of its addresses': (raw) => {
    raw.addresses = [...(raw.addresses as string[])].reverse();
  },
};

describe('an upstream that a reload does not change', () => {
  it('keeps its connections, and what is under way counts', async () => {
    const { door, hold, release } = await holdingDoor({
      upstreamConfig: { maxConnections: 8 },
      gateway: { limits: { publicShare: 0.25 } },
    });
    const held = await hold(2, stranger('held'));
    expect(await askAccount(door)).toBe(200);
    const { length } = door.upstream.connections;
    for (let round = 0; round < 3; round += 1) {
      reload(door.gate);
      expect(await askStranger(door)).toBe(503);
      expect(await connections(door, 'active')).toBe(2);
      expect(await askAccount(door)).toBe(200);
    }
    expect(door.upstream.connections).toHaveLength(length);
    await release(held);
    expect(await askStranger(door)).toBe(200);
  });

  it('gets other shares from the reload on that names them, with what is held counted', async () => {
    const { door, hold, release } = await holdingDoor({
      upstreamConfig: { maxConnections: 8 },
      gateway: { limits: { publicShare: 0.25 } },
    });
    const held = [...(await hold(2, stranger('held')))];
    reload(door.gate, () => {}, { limits: { publicShare: 0.375 } });
    held.push(...(await hold(1, stranger('held'))));
    expect(await askStranger(door)).toBe(503);
    await release(held);
  });
});

describe.each(Object.entries(CHANGES))(
  'an upstream of which a reload changes %s',
  (_of, change) => {
    const both = ({ raw }: Upstreams) => change(raw!);

    it('counts what is under way from before: for shares, for maxConnections and in the metric', async () => {
      const { door, hold, release } = await holdingDoor({
        upstreamConfig: { maxConnections: 4 },
        gateway: { limits: { publicShare: 0.5, accountShare: 1 } },
      });
      const held = [...(await hold(2, stranger('held')))];
      reload(door.gate, both);
      expect(await askStranger(door)).toBe(503);
      held.push(...(await hold(2, door.head('GET /held'))));
      reload(door.gate);
      expect(await connections(door, 'active')).toBe(4);
      expect(await askAccount(door)).toBe(503);
      await release(held);
      expect([await askStranger(door), await askAccount(door)]).toEqual([200, 200]);
      expect(await connections(door, 'active')).toBe(0);
    });

    it('keeps the health of the addresses that stay', async () => {
      const dead = await freePort();
      const ejection = { baseMs: 3_600_000, maxMs: 3_600_000 };
      const { door } = await holdingDoor({ upstreamConfig: { ejection } });
      const url = `http://127.0.0.1:${dead}`;
      const healthy = () =>
        metric(door.gate, `healthy{upstream="raw",address="127.0.0.1:${dead}"}`);
      reload(door.gate, withSecond(url));
      for (let n = 0; n < 4; n += 1) expect(await askAccount(door)).toBe(200);
      expect(await healthy()).toBe(0);
      reload(door.gate, withSecond(url));
      expect(await healthy()).toBe(0);
      reload(door.gate, withSecond(url, change));
      expect(await healthy()).toBe(0);
      expect(door.gate.gateway.readiness.checks).toContainEqual({
        name: 'upstreams',
        state: 'warning',
        why: 'raw: 1 of 2 addresses fail',
      });
    });
  },
);

it('counts over both what a name stands for', async () => {
  const { door, hold, release } = await holdingDoor({
    upstreamConfig: { maxConnections: 1 },
    gateway: { limits: { publicShare: 1 } },
  });
  const named = ({ raw }: Upstreams) => {
    raw!.addresses = [`http://localhost:${door.upstream.port}`];
  };
  reload(door.gate, named);
  for (let n = 0; n < 4; n += 1) expect(await askAccount(door)).toBe(200);
  const held = await hold(1, door.head('GET /held'));
  reload(door.gate, (upstreams) => {
    named(upstreams);
    upstreams.raw!.responseTimeoutMs = 77_000;
  });
  expect(await askStranger(door)).toBe(503);
  await release(held);
  expect(await askStranger(door)).toBe(200);
});

it('is made anew by a reload when a file that it names holds something else', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-kept-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const authority = await newAuthority([{ dns: 'localhost' }]);
  const caFile = join(dir, 'ca.pem');
  writeFileSync(caFile, authority.pem);
  const hosts = [{ dns: 'localhost' }];
  const own = await writeCertificate(dir, 'server', authority, { hosts });
  const client = await writeCertificate(dir, 'client', authority, { hosts });
  const tls = { cert: readFileSync(own.certificateFile), key: readFileSync(own.keyFile) };
  const { door } = await holdingDoor({
    upstream: { answer: answerFor, tls: { ...tls, requestCert: true, rejectUnauthorized: false } },
    upstreamConfig: { tls: { caFile, serverName: 'localhost', ...client } },
  });
  const connectionsAfter = async () => {
    reload(door.gate);
    expect(await askAccount(door)).toBe(200);
    return door.upstream.connections.length;
  };
  expect([await connectionsAfter(), await connectionsAfter()]).toEqual([1, 1]);
  await writeCertificate(dir, 'client', authority, { hosts });
  expect([await connectionsAfter(), await connectionsAfter()]).toEqual([2, 2]);
});

describe('an address that fails its checks', () => {
  it('gets no call after a reload, and gets some again where the checks are taken out', async () => {
    const answer = (status: number) => [
      { send: `HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n` },
    ];
    const well = await startRawUpstream({ answer: () => answer(200) });
    const sick = await startRawUpstream({
      answer: ({ line }) => answer(line.includes('/check') ? 503 : 200),
    });
    const gate = await startGateway({
      upstreams: { raw: { addresses: [well.url] } },
      plaintext: true,
    });
    onTestFinished(async () => {
      await gate.stop();
      await Promise.all([well.stop(), sick.stop()]);
    });
    const checked = (intervalMs: number) =>
      withSecond(sick.url, (raw) => {
        raw.healthCheck = { path: '/check', intervalMs, unhealthyAfter: 2 };
      });
    const healthy = () => metric(gate, `healthy{upstream="raw",address="127.0.0.1:${sick.port}"}`);
    const call = async () => (await fetch(`http://127.0.0.1:${gate.port}/public/x`)).status;
    const calls = async () => {
      const before = sick.requests.length;
      for (let n = 0; n < 4; n += 1) expect(await call()).toBe(200);
      return sick.requests.slice(before).filter(({ line }) => !line.includes('/check')).length;
    };
    reload(gate, checked(100));
    await expect.poll(healthy, { timeout: 20_000 }).toBe(0);
    for (const intervalMs of [100, 3_600_000, 3_500_000]) {
      reload(gate, checked(intervalMs));
      expect([await calls(), await healthy()]).toEqual([0, 0]);
    }
    reload(gate, withSecond(sick.url));
    expect(await calls()).toBeGreaterThan(0);
  });
});

describe('an upstream that a reload takes out', () => {
  it('ends what is under way, which counts until then and when the name comes back', async () => {
    const { door, hold, release } = await holdingDoor({
      upstreamConfig: { maxConnections: 4 },
      gateway: { limits: { publicShare: 0.5 } },
    });
    const held = await hold(2, stranger('held'));
    reload(door.gate, (upstreams) => {
      delete upstreams.raw;
    });
    expect(await connections(door, 'active')).toBe(2);
    reload(door.gate);
    expect(await askStranger(door)).toBe(503);
    expect(await askAccount(door)).toBe(200);
    reload(door.gate, (upstreams) => {
      delete upstreams.raw;
    });
    await release(held);
    await expect.poll(() => connections(door, 'active'), { timeout: 20_000 }).toBe(null);
    reload(door.gate);
    expect(await askStranger(door)).toBe(200);
  });
});

it('leaves everything as it is when a reload is refused', async () => {
  const { door, hold, release } = await holdingDoor({ upstreamConfig: { maxConnections: 2 } });
  const held = await hold(1, door.head('GET /held'));
  expect(() =>
    reload(door.gate, ({ raw }) => {
      raw!.addresses = ['https://localhost:1'];
      raw!.tls = { caFile: '/dev/null' };
    }),
  ).toThrow();
  expect(await connections(door, 'active')).toBe(1);
  await release(held);
  expect(await askAccount(door)).toBe(200);
});
