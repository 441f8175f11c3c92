import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { ListenFault } from '../../../src/ops/listen.ts';
import type { Check } from '../../../src/ops/readiness.ts';
import { type OpsServer, startOps } from '../../../src/ops/server.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

const PROMTOOL = process.env.PROMTOOL_BIN ?? 'promtool';

let ops: OpsServer | null = null;
let lines: string[] = [];
afterEach(async () => {
  await ops?.close(100);
  ops = null;
  lines = [];
});

const log = createLog({ format: 'json', write: (line) => void lines.push(line) });

const places = { perAddress: () => 32, isExempt: () => false };

async function start(
  checks: readonly Check[] = [],
  metrics = createMetrics({ processMetrics: false }),
): Promise<string> {
  const address = { host: '127.0.0.1', port: 0 };
  ops = await startOps({
    address,
    places,
    reached: (limit) => metrics.limits.count(limit),
    recordedAddress: (address) => `somebody like ${address.slice(0, 3)}`,
    checks,
    metrics,
    log,
  });
  return `http://127.0.0.1:${ops.address.port}`;
}

describe('the operations listener', () => {
  it('says that it lives whatever else is wrong', async () => {
    const base = await start([
      { name: 'audit', result: () => ({ state: 'failed', why: 'store away' }) },
    ]);
    const answer = await fetch(`${base}/livez`);
    expect([answer.status, await answer.json()]).toEqual([200, { alive: true }]);
  });

  it('is ready when no check fails, and shows every check', async () => {
    const base = await start([
      { name: 'registry', result: () => ({ state: 'ok' }) },
      { name: 'config', result: () => ({ state: 'warning', why: 'line 3: unknown key' }) },
    ]);
    const answer = await fetch(`${base}/readyz`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({
      ready: true,
      checks: [
        { name: 'registry', state: 'ok' },
        { name: 'config', state: 'warning', why: 'line 3: unknown key' },
      ],
    });
  });

  it('is not ready when one check fails or cannot be made, and becomes ready again', async () => {
    let why: string | null = 'no lease yet';
    const base = await start([
      {
        name: 'registry',
        result: () => (why === null ? { state: 'ok' } : { state: 'failed', why }),
      },
      {
        name: 'audit',
        result() {
          if (why !== null) throw new Error('s3CrEt');
          return { state: 'ok' };
        },
      },
    ]);
    const unready = await fetch(`${base}/readyz`);
    const body = await unready.text();
    expect(unready.status).toBe(503);
    expect(body).toContain('no lease yet');
    expect(body).not.toContain('s3CrEt');
    why = null;
    expect((await fetch(`${base}/readyz`)).status).toBe(200);
  });

  it('answers HEAD without a body, other methods with 405 and other paths with 404', async () => {
    const base = await start();
    for (const path of ['/livez', '/readyz', '/metrics']) {
      const head = await fetch(base + path, { method: 'HEAD' });
      expect([head.status, await head.text()]).toEqual([200, '']);
      const post = await fetch(base + path, { method: 'POST', body: 'x' });
      expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS']);
    }
    for (const path of ['/livez/', '/metrics/x', '/LIVEZ'])
      expect((await fetch(base + path)).status, path).toBe(404);
  });

  it.each([
    ['GET /readyz HTTP/1.0\r\n\r\n'],
    ['GET /livez HTTP/1.0\r\nUser-Agent: check\r\n\r\n'],
    ['HEAD / HTTP/1.0\r\n\r\n'],
    // HAProxy's `option httpchk`, as it is without a word more, and what people make of it.
    ['OPTIONS / HTTP/1.0\r\n\r\n'],
    ['OPTIONS * HTTP/1.1\r\nHost: gate\r\n\r\n'],
    ['OPTIONS /readyz HTTP/1.1\r\nHost: gate\r\n\r\n'],
    // Hosts that are no names of ours, or of anybody.
    ['GET / HTTP/1.1\r\nHost: gate_1:9464\r\nUser-Agent: ELB-HealthChecker/2.0\r\n\r\n'],
    ['GET / HTTP/1.1\r\nHost:\r\nUser-Agent: GoogleHC/1.0\r\n\r\n'],
    ['GET http://gate/readyz HTTP/1.1\r\nHost: gate\r\n\r\n'],
    ['GET /metrics?x HTTP/1.0\r\n\r\n'],
  ])('answers a load balancer that sends %j', async (text) => {
    let why: string | null = null;
    const base = await start([
      {
        name: 'draining',
        result: () => (why === null ? { state: 'ok' } : { state: 'failed', why }),
      },
    ]);
    expect(await firstLine(base, text)).toBe('HTTP/1.1 200 OK');
    why = 'the gate is shutting down';
    const asksReady = !/livez|metrics/.test(text);
    expect(await firstLine(base, text)).toBe(
      asksReady ? 'HTTP/1.1 503 Service Unavailable' : 'HTTP/1.1 200 OK',
    );
  });

  it('answers OPTIONS without a body, and says what is allowed', async () => {
    const base = await start();
    const answer = await fetch(`${base}/metrics`, { method: 'OPTIONS' });
    expect([answer.status, answer.headers.get('allow'), await answer.text()]).toEqual([
      200,
      'GET, HEAD, OPTIONS',
      '',
    ]);
  });

  it('sets security headers on every answer, also on errors', async () => {
    const base = await start();
    for (const path of ['/livez', '/readyz', '/metrics', '/none']) {
      const { headers } = await fetch(base + path);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    }
  });

  it('serves the metrics, and a crowd of scrapers makes them once', async () => {
    let made = 0;
    const text = async () => {
      made++;
      await new Promise((resolve) => setTimeout(resolve, 500));
      return 'x 1\n';
    };
    const base = await start([], { ...createMetrics({ processMetrics: false }), text });
    const answers = await Promise.all(Array.from({ length: 10 }, () => fetch(`${base}/metrics`)));
    expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual(
      Array(10).fill('x 1\n'),
    );
    expect(answers[0]?.headers.get('content-type')).toBe(
      'text/plain; version=0.0.4; charset=utf-8',
    );
    expect(made).toBeLessThan(10);
  });

  it('serves OpenMetrics to whoever asks for it', async () => {
    const base = await start();
    const accept = 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5';
    const answer = await fetch(`${base}/metrics`, { headers: { accept } });
    expect(answer.headers.get('content-type')).toBe(
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
    );
    expect(await answer.text()).toMatch(/\n# EOF\n$/);
  });

  it('tells a fault to the log and not to the caller', async () => {
    const text = () => Promise.reject(new Error('inner detail'));
    const base = await start([], { ...createMetrics({ processMetrics: false }), text });
    const answer = await fetch(`${base}/metrics`);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain('inner detail');
    expect(lines.join('')).toContain('inner detail');
    expect((await fetch(`${base}/livez`)).status).toBe(200);
  });

  it('refuses a huge head', async () => {
    const base = await start();
    const answer = await fetch(`${base}/livez`, { headers: { x: 'a'.repeat(20_000) } });
    expect(answer.status).toBe(431);
  });

  it('says of who takes too many places what the record says of an address', async () => {
    const base = await start();
    const sockets = Array.from({ length: places.perAddress() + 1 }, () =>
      connect(Number(new URL(base).port), '127.0.0.1').on('error', () => {}),
    );
    await expect
      .poll(() => lines.join(''), { timeout: 10_000 })
      .toContain('"clientAddress":"somebody like 127"');
    for (const socket of sockets) socket.destroy();
    expect(lines.join('')).not.toContain('127.0.0.1');
  });

  it('closes though a client holds its connection open', async () => {
    const base = await start();
    const socket = connect(Number(new URL(base).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n');
    const gone = new Promise((resolve) => socket.once('close', resolve));
    // Being cut off is what is expected.
    socket.on('error', () => {});
    await ops?.close(50);
    ops = null;
    await gone;
  });
});

async function firstLine(base: string, text: string): Promise<string> {
  const socket = connect(Number(new URL(base).port), '127.0.0.1');
  let said = '';
  socket.setEncoding('latin1').on('data', (piece: string) => (said += piece));
  socket.write(text);
  await expect.poll(() => said, { timeout: 10_000 }).toContain('\r\n\r\n');
  socket.destroy();
  return said.split('\r\n', 1)[0]!;
}

describe('a listener that cannot be opened', () => {
  it.each([
    [
      'a port in use',
      async () => (ops as OpsServer).address,
      /listen\.ops: cannot listen on 127\.0\.0\.1:\d+: another process listens there already/,
    ],
    [
      'an address of another machine',
      async () => ({ host: '192.0.2.1', port: 9464 }),
      /\[?192\.0\.2\.1\]?:9464: this machine has no such address/,
    ],
  ])('says so clearly: %s', async (_what, address, message) => {
    await start();
    const attempt = startOps({
      address: await address(),
      places,
      reached: () => {},
      recordedAddress: (address) => address,
      checks: [],
      metrics: createMetrics({ processMetrics: false }),
      log,
    });
    await expect(attempt).rejects.toThrow(ListenFault);
    await expect(attempt).rejects.toThrow(message);
  });
});

it('writes metrics that promtool finds nothing wrong with', async (ctx) => {
  const found = await promisify(execFile)(PROMTOOL, ['--version']).catch(() => null);
  if (found === null) return ctx.skip('promtool is not installed (Debian: prometheus)');
  const metrics = createMetrics();
  metrics.requests.count(metrics.requests.route('deploy'), 0, 200, 'permitted', 3, 0.1);
  const base = await start([], metrics);
  const promtool = spawn(PROMTOOL, ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [promtool.stdout, promtool.stderr])
    stream.on('data', (chunk) => (said += String(chunk)));
  promtool.stdin.end(await (await fetch(`${base}/metrics`)).text());
  const [code] = await once(promtool, 'close');
  expect({ said, code }).toEqual({ said: '', code: 0 });
});
