import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { findProgram, have, requireOrSkip } from '../support/system.ts';
import { type Program, startProgram } from '../support/upstreams/upstream.ts';
import { newAuthority, writeCertificate } from '../unit/tls/samples.ts';

/**
 * nginx as a service behind the gate: on a socket in the file system, and demanding a certificate
 * of the gate, which is replaced while both run.
 */
const home = mkdtempSync(join(tmpdir(), 'sallyport-behind-'));
const path = (name: string) => join(home, name);
let nginx: Program;
let gate: TestGateway;

beforeAll(async () => {
  if (!have('nginx')) return;
  const servers = await newAuthority([{ dns: 'test' }], 'Servers');
  const gates = await newAuthority([{ dns: 'test' }], 'Gates', 'client');
  const strangers = await newAuthority([{ dns: 'test' }], 'Strangers', 'client');
  writeFileSync(path('servers.pem'), servers.pem);
  writeFileSync(path('gates.pem'), gates.pem);
  await writeCertificate(home, 'service', servers);
  for (const [name, authority] of [
    ['first', gates],
    ['second', gates],
    ['stranger', strangers],
  ] as const)
    await writeCertificate(home, name, authority, { purpose: 'client' });
  use('first');
  const port = await freePort();
  writeFileSync(path('nginx.conf'), configuration(port));
  nginx = startProgram(findProgram('nginx')!, ['-p', home, '-c', 'nginx.conf', '-e', 'stderr']);
  while (!(await opens({ port, host: '127.0.0.1' }))) await sleep(20);
  gate = await startGateway({
    plaintext: true,
    upstreams: {
      socket: {
        addresses: [`unix:${path('app.sock')}`],
        healthCheck: { path: '/check', intervalMs: 100, unhealthyAfter: 1, healthyAfter: 1 },
      },
      gone: { addresses: [`unix:${path('gone.sock')}`] },
      named: { addresses: [`unix:${path('app.sock')}`], host: 'upstream' },
      mutual: {
        addresses: [`https://127.0.0.1:${port}`],
        tls: {
          caFile: path('servers.pem'),
          serverName: 'service.test',
          certificateFile: path('gate.crt'),
          keyFile: path('gate.key'),
        },
      },
    },
    routes: ['socket', 'named', 'gone', 'mutual'].map((name) => ({
      name,
      path: `/${name}/**`,
      access: 'public',
      upstream: name,
    })),
  });
});
beforeEach((ctx) => requireOrSkip(ctx, 'nginx'));
afterAll(async () => {
  await gate?.stop();
  await nginx?.stop();
  rmSync(home, { recursive: true, force: true });
});

/** The certificate that the gate shows from the next reload on. */
function use(name: string): void {
  copyFileSync(path(`${name}.crt`), path('gate.crt'));
  copyFileSync(path(`${name}.key`), path('gate.key'));
}

async function get(target: string): Promise<{ readonly status: number; readonly body: string }> {
  const response = await fetch(`http://127.0.0.1:${gate.port}${target}`);
  return { status: response.status, body: await response.text() };
}

describe('a service on a socket', () => {
  it('is called on kept connections, by the host that it is configured with', async () => {
    const first = await get('/socket/a');
    const host = `127.0.0.1:${gate.port}`;
    expect(first).toEqual({ status: 200, body: expect.stringContaining(`${host} /socket/a `) });
    expect((await get('/named/b')).body).toMatch(/^localhost \/named\/b /);
    const connectionOf = ({ body }: typeof first) => body.split(' ')[2];
    expect(connectionOf(await get('/socket/a'))).toBe(connectionOf(first));
  });

  it('that is not there is unreachable', async () => {
    expect(await get('/gone/a')).toEqual({
      status: 502,
      body: expect.stringContaining('upstream-unreachable'),
    });
  });

  it('is checked, and named in the metrics', async () => {
    const place = `upstream="socket",address="unix:${path('app.sock')}"`;
    const metrics = () => gate.gateway.metrics.text();
    await expect.poll(metrics).toContain(`sallyport_upstream_healthy{${place}} 1`);
    writeFileSync(path('unhealthy'), '');
    await expect
      .poll(metrics, { timeout: 30_000 })
      .toContain(`sallyport_upstream_healthy{${place}} 0`);
    rmSync(path('unhealthy'));
    await expect
      .poll(metrics, { timeout: 30_000 })
      .toContain(`sallyport_upstream_healthy{${place}} 1`);
  });
});

describe('a service that demands a certificate', () => {
  const serial = async () => (await get('/mutual/x')).body.trim();

  it('sees another one after a reload, and the gate goes on', async () => {
    const { gateway, config } = gate;
    expect(await serial()).toBe('CN=first');
    use('second');
    gateway.reload(config);
    expect(await serial()).toBe('CN=second');
    use('stranger');
    gateway.reload(config);
    expect((await get('/mutual/x')).status).toBe(400);
    use('first');
    gateway.reload(config);
    expect(await serial()).toBe('CN=first');
  });

  it('keeps the one that was, where the next cannot be used', async () => {
    const { gateway, config } = gate;
    writeFileSync(path('gate.key'), readFileSync(path('second.key')));
    expect(() => gateway.reload(config)).toThrow(/gate\.key|gate\.crt/);
    expect(await serial()).toBe('CN=first');
    use('first');
  });
});

function opens(to: { readonly port: number; readonly host: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(to, () => resolve(true));
    socket.once('error', () => resolve(false)).once('connect', () => socket.destroy());
  });
}

/** One process, no daemon: what is started here can be stopped here. */
function configuration(port: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${path(kind)};`)
    .join(' ');
  return `daemon off; master_process off; pid ${path('nginx.pid')};
events { worker_connections 64; }
http {
  access_log off; error_log stderr; ${temporary}
  server {
    listen unix:${path('app.sock')};
    location / { return 200 "$http_host $request_uri $connection"; }
    location = /check { if (-f ${path('unhealthy')}) { return 503; } return 200; }
  }
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${path('service.crt')};
    ssl_certificate_key ${path('service.key')};
    ssl_client_certificate ${path('gates.pem')};
    ssl_verify_client on;
    location / { return 200 "$ssl_client_s_dn"; }
  }
}
`;
}
