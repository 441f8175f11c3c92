import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import {
  createSecureServer,
  createServer,
  type Http2Server,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { clientContext } from '../../src/tls/client-material.ts';
import type { UpstreamTls } from '../../src/upstream/dialer.ts';
import { issueTls } from '../integration/door/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { startGateway } from '../support/gateway.ts';
import { findProgram } from '../support/system.ts';
import { startProgram } from '../support/upstreams/upstream.ts';
import { openPool } from './pool.ts';

async function listen(server: Server | Http2Server): Promise<number> {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

interface H2c {
  readonly port: number;
  /** Paths, in order. */
  readonly asked: string[];
  sessions: number;
  /** Every connection is asked to end, once its streams have. */
  goaway(): void;
}

/** A real server, which is none of ours. */
async function h2c(): Promise<H2c> {
  const server = createServer();
  const goaways: (() => void)[] = [];
  server.on('session', (session) => {
    found.sessions += 1;
    session.on('error', () => {});
    goaways.push(() => session.close());
  });
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    found.asked.push(`${headers[':method']} ${headers[':path']}`);
    stream.on('error', () => {});
    let bytes = 0;
    stream.on('data', (piece: Buffer) => {
      bytes += piece.length;
    });
    stream.on('end', () => {
      stream.respond({ ':status': headers[':path'] === '/ill' ? 500 : 200 });
      stream.end(bytes === 0 ? 'fine' : `fine ${bytes}`);
    });
  });
  const port = await listen(server);
  const found: H2c = {
    port,
    asked: [],
    sessions: 0,
    goaway: () => {
      for (const close of goaways.splice(0)) close();
    },
  };
  return found;
}

const trusting = (ca: string): UpstreamTls => ({
  context: clientContext({
    ca,
    serverName: 'localhost',
    certificate: null,
    key: null,
    verify: true,
  }),
  serverName: 'localhost',
  rejectUnauthorized: true,
});

describe('HTTP/2 to a server of its own', () => {
  it('by TLS is agreed on by ALPN; who agrees on nothing, or on HTTP/1.1, gets no request', async () => {
    const { server, client } = await issueTls();
    const ca = readFileSync(client.caFile, 'utf8');
    const two = createSecureServer(server, (_request, response) => response.end('two'));
    const pool = openPool([await listen(two)], { protocol: 'h2', tls: trusting(ca) });
    expect(await pool.call()).toBe(200);
    let requests = 0;
    const one = createHttpsServer(server, (_request, response) => {
      requests += 1;
      response.end('one');
    });
    const other = openPool([await listen(one)], { protocol: 'h2', tls: trusting(ca) });
    expect(['broken', 'unreachable']).toContain(await other.call());
    expect(other.usable()).toEqual([false]);
    expect(requests).toBe(0);
  });

  it('carries calls side by side on few connections, and follows it when it says goodbye', async () => {
    const server = await h2c();
    const { pool, call } = openPool([server.port], { protocol: 'h2c', maxConnections: 300 });
    const statuses = await Promise.all(Array.from({ length: 250 }, () => call()));
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(server.sessions).toBeLessThanOrEqual(3);
    const before = server.sessions;
    server.goaway();
    await vi.waitFor(() => expect(pool.isEmpty).toBe(true), 5000);
    expect(await call()).toBe(200);
    expect(server.sessions).toBe(before + 1);
  });

  it('loses no call where its connections end after a few requests, as those of nginx do', async () => {
    const home = mkdtempSync(join(tmpdir(), 'sallyport-h2c-'));
    const port = await freePort();
    writeFileSync(
      join(home, 'nginx.conf'),
      `daemon off; master_process off; pid ${home}/pid; error_log stderr error;
      events { worker_connections 256; }
      http { access_log off; client_body_temp_path ${home}/b; proxy_temp_path ${home}/p;
        fastcgi_temp_path ${home}/f; uwsgi_temp_path ${home}/u; scgi_temp_path ${home}/s;
        server { listen 127.0.0.1:${port} http2; keepalive_requests 20; http2_max_requests 20;
          location / { return 200 fine; } } }`,
    );
    const nginx = startProgram(findProgram('nginx')!, ['-p', home, '-c', 'nginx.conf']);
    onTestFinished(async () => {
      await nginx.stop();
      rmSync(home, { recursive: true });
    });
    const { pool, call } = openPool([port], { protocol: 'h2c', maxConnections: 400 });
    await vi.waitFor(async () => expect(await call()).toBe(200), 10_000);
    for (let round = 0; round < 10; round += 1) {
      const statuses = await Promise.all(Array.from({ length: 60 }, () => call()));
      expect(new Set(statuses)).toEqual(new Set([200]));
    }
    expect(pool.states().map(({ usable }) => usable)).toEqual([true]);
  });

  it('is checked by HTTP/2, each check on a connection of its own', async () => {
    const server = await h2c();
    const check = { intervalMs: 50, timeoutMs: 1000, unhealthyAfter: 2, healthyAfter: 1 };
    const well = openPool([server.port], {
      protocol: 'h2c',
      healthCheck: { ...check, path: '/well' },
    });
    const ill = openPool([server.port], {
      protocol: 'h2c',
      healthCheck: { ...check, path: '/ill' },
    });
    await vi.waitFor(() => expect(ill.usable()).toEqual([false]), 5000);
    expect(well.usable()).toEqual([true]);
    expect(server.sessions).toBeGreaterThan(2);
    expect(server.asked).toContain('GET /well');
  });
});

it('a gate whose upstream speaks no HTTP/2 answers 502, and a shared connection is balanced', async () => {
  const first = await h2c();
  const second = await h2c();
  const address = ({ port }: { readonly port: number }) => `http://127.0.0.1:${port}`;
  const one = await listen(createHttpServer((_request, response) => response.end('one')));
  const gate = await startGateway({
    upstreams: {
      two: { addresses: [address(first), address(second)], protocol: 'h2c' },
      wrong: { addresses: [address({ port: one })], protocol: 'h2c' },
    },
    routes: ['two', 'wrong'].map((upstream) => ({
      name: upstream,
      path: `/${upstream}/**`,
      methods: ['GET', 'POST'],
      application: 'any',
      permission: 'test:all',
      upstream,
    })),
    plaintext: true,
  });
  onTestFinished(() => gate.stop());
  const call = (path: string, more: RequestInit = {}) =>
    fetch(`${gate.url}${path}`, { headers: { authorization: `Bearer ${gate.token}` }, ...more });
  for (let round = 0; round < 10; round += 1) {
    const response = await call('/two/a');
    expect([response.status, await response.text()]).toEqual([200, 'fine']);
    expect(response.headers.get('via')).toMatch(/^2 /);
  }
  expect(first.asked.length).toBe(5);
  expect(second.asked.length).toBe(5);
  const posted = await call('/two/b', { method: 'POST', body: 'x'.repeat(300_000) });
  expect([posted.status, await posted.text()]).toEqual([200, 'fine 300000']);
  const wrong = await call('/wrong/a');
  expect([wrong.status, await wrong.json()]).toMatchObject([502, { reason: 'upstream-broken' }]);
});
