import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { afterEach, expect, it, onTestFinished, type TestContext, vi } from 'vitest';
import { parse } from 'yaml';
import { type Done, Example } from '../support/example.ts';
import { FRONTS } from '../support/fronts.ts';
import { startNpmRegistry, startPythonIndex } from '../support/package-registries.ts';
import { type Listening, listening, startPlainService } from '../support/plain-service.ts';
import { startRedis } from '../support/redis-server.ts';
import { issueRedisCertificates } from '../support/redis-tls.ts';
import { makeRedisUsers } from '../support/redis-users.ts';
import { requireOrSkip } from '../support/system.ts';
import { newAuthority, writeCertificate } from '../unit/tls/samples.ts';

vi.setConfig({ testTimeout: 120_000 });

const EXAMPLES = join(import.meta.dirname, '..', '..', 'config', 'examples');
const open: { stop(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.stop();
});

async function held<One extends { stop(): Promise<void> }>(starting: Promise<One>): Promise<One> {
  const one = await starting;
  open.push(one);
  return one;
}

/** What the calls of a README printed; each of its other commands has to end well. */
function printed(done: readonly Done[]): readonly string[] {
  const isCall = ({ command }: Done) => /^(curl|npm|pip|sallyport activity) /.test(command);
  for (const one of done) if (!isCall(one)) expect(one, one.command).toMatchObject({ code: 0 });
  return done.filter(isCall).map(({ out }) => out);
}

function needs(ctx: TestContext): void {
  requireOrSkip(ctx, 'openssl', 'curl');
}

it('one-machine: begins with nothing, and lets in who may', async (ctx) => {
  needs(ctx);
  const api = await held(startPlainService('api'));
  const example = await held(Example.open('one-machine', { '127.0.0.1:8080': api.address }));
  const [hello, refused, activity] = printed(await example.run());
  expect(hello).toBe('api: GET /hello by ci\n');
  expect(refused).toContain('token-missing');
  expect(activity).toContain('/hello');
});

/** Services of the edge, one of them by TLS, and the Redis that its gates share. */
async function openEdge(ctx: TestContext): Promise<{ edge: Example; redisAddress: string }> {
  needs(ctx);
  requireOrSkip(ctx, 'redis-server');
  const users = await makeRedisUsers();
  onTestFinished(() => users.remove());
  const certificates = issueRedisCertificates();
  const redis = await held(
    startRedis({
      aclFile: users.aclFile,
      configFile: join(EXAMPLES, '..', 'redis', 'redis.conf'),
      certificates,
      config: ['--tls-auth-clients', 'no'],
    }),
  );
  const [reports, files] = [
    await held(startPlainService('reports')),
    await held(startPlainService('files')),
  ];
  const names = ['deploy', 'reports', 'files'];
  const authority = await newAuthority(names.map((name) => ({ dns: `${name}.example.com` })));
  const internal = await newAuthority([{ dns: 'deploy.internal' }]);
  const redisAddress = `127.0.0.1:${redis.tlsPort}`;
  const edge = await held(
    Example.open('edge', {
      'redis.internal:6379': redisAddress,
      '"https://deploy-1.internal:8443", "https://deploy-2.internal:8443"': '"https://DEPLOY"',
      'reports.internal:8080': reports.address,
      'files.internal:8081': files.address,
    }),
  );
  for (const name of names) {
    const hosts = [{ dns: `${name}.example.com` }];
    await writeCertificate(edge.folder, name, authority, { hosts });
  }
  edge.write('ca.crt', authority.pem);
  const deploy = await writeCertificate(edge.folder, 'internal', internal, {
    hosts: [{ dns: 'deploy.internal' }],
  });
  const service = await held(startSecure(deploy));
  const file = join(edge.folder, 'sallyport.yaml');
  edge.write('sallyport.yaml', readFileSync(file, 'utf8').replace('DEPLOY', service.address));
  edge.write('internal-ca.pem', internal.pem);
  edge.write('redis-ca.pem', readFileSync(certificates.caFile, 'utf8'));
  edge.write('gate.password', readFileSync(users.gate.passwordFile, 'utf8'));
  edge.write('manager.password', readFileSync(users.manager.passwordFile, 'utf8'));
  return { edge, redisAddress };
}

function startSecure({ certificateFile, keyFile }: Record<'certificateFile' | 'keyFile', string>) {
  const pair = { cert: readFileSync(certificateFile), key: readFileSync(keyFile) };
  return listening(
    createServer(pair, ({ url, headers }, response) => {
      response.end(`deploy: ${url} by ${String(headers['x-account-name'])}\n`);
    }),
  );
}

it('edge and sidecar: three services behind one gate, and one beside another, on one Redis', async (ctx) => {
  const { edge, redisAddress } = await openEdge(ctx);
  const [reports, deployments, refused, files] = printed(await edge.run());
  expect(reports).toBe('reports: GET /2026/november by reporting\n');
  expect(deployments).toBe('deploy: /v1/applications/CRM/plans by reporting\n');
  expect(refused).toContain('permission-denied');
  expect(files).toBe('files: GET /november.csv by reporting\n');

  const service = await held(startPlainService('crm'));
  const sidecar = await held(
    Example.open('sidecar', {
      'redis.internal:6379': redisAddress,
      '127.0.0.1:8080': service.address,
    }),
  );
  const authority = await newAuthority([{ dns: 'localhost' }]);
  await writeCertificate(sidecar.folder, 'leaf', authority, { hosts: [{ dns: 'localhost' }] });
  const from = (example: Example, name: string) => readFileSync(join(example.folder, name), 'utf8');
  sidecar.write('tls.key', from(sidecar, 'leaf.key'));
  sidecar.write('tls.crt', `${from(sidecar, 'leaf.crt')}${authority.pem}`);
  for (const name of ['gate.password', 'redis-ca.pem', 'reporting.token'])
    sidecar.write(name, from(edge, name));
  const [plans] = printed(await sidecar.run());
  expect(plans).toBe('crm: GET /plans by reporting\n');
});

it('lifetime: takes paths as clients write them, and refuses as LifeTime does', async (ctx) => {
  needs(ctx);
  const lifetime = await held(startPlainService('lifetime'));
  const places = { 'https://lifetime.internal': `http://${lifetime.address}` };
  const example = await held(Example.open('lifetime', places));
  const [environments, refused] = printed(await example.run());
  expect(environments).toBe('lifetime: GET /lifetimeapi/rest/v2/Environments/ by pipeline\n');
  expect(JSON.parse(refused!)).toMatchObject({ StatusCode: 403, Errors: [expect.any(String)] });
});

it('decision: nginx, and what ingress-nginx makes of its annotations, forward what it permits', async (ctx) => {
  needs(ctx);
  requireOrSkip(ctx, 'nginx');
  const example = await held(Example.open('decision', {}));
  const [permitted, refused] = printed(await example.run());
  expect(permitted).toMatch(/^HTTP\/1\.1 200 [\s\S]*X-Account-Name: ci\r$/im);
  expect(refused).toMatch(/^HTTP\/1\.1 401 /);
  const service = await held(startPlainService('service'));
  const authorization = `Bearer ${readFileSync(join(example.folder, 'ci.token'), 'utf8').trim()}`;
  for (const { name, start } of FRONTS.filter(({ part }) => part === 'nginx')) {
    const front = await held(start({ decision: example.port(9444), service: service.port }));
    const url = `http://127.0.0.1:${front.port}/apps/1`;
    const forwarded = await fetch(url, { headers: { authorization, 'x-account-name': 'forged' } });
    expect(await forwarded.text(), name).toBe('service: GET /apps/1 by ci\n');
    expect((await fetch(url)).status, name).toBe(401);
  }
  await traefik(example, authorization);
});

interface Traefik {
  readonly http: {
    readonly routers: { readonly api: { readonly middlewares: readonly string[] } };
    readonly middlewares: Readonly<
      Record<
        string,
        {
          readonly headers?: { readonly customRequestHeaders: Readonly<Record<string, string>> };
          readonly forwardAuth?: {
            readonly address: string;
            readonly trustForwardHeader: boolean;
            readonly authResponseHeaders: readonly string[];
          };
        }
      >
    >;
  };
}

/** By its fields: what its recipe has it send, copy and take away, in this order. */
async function traefik(example: Example, authorization: string): Promise<void> {
  const { http } = parse(
    readFileSync(join(EXAMPLES, 'decision', 'traefik.yaml'), 'utf8'),
  ) as Traefik;
  const [first, asks, last] = http.routers.api.middlewares.map((name) => http.middlewares[name]!);
  const { address, trustForwardHeader, authResponseHeaders } = asks!.forwardAuth!;
  expect(trustForwardHeader).toBe(false);
  const headers = {
    authorization,
    'x-forwarded-method': 'GET',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'api.example.com',
    'x-forwarded-uri': '/apps/1',
    'x-forwarded-for': '203.0.113.9',
  };
  const place = `http://127.0.0.1:${example.port(9444)}${new URL(address).pathname}`;
  const permit = await fetch(place, { headers });
  expect(permit.status).toBe(200);
  const identity = [...permit.headers.keys()].filter((name) => /^x-(account|request)-/.test(name));
  expect(authResponseHeaders.map((name) => name.toLowerCase()).sort()).toEqual(identity.sort());
  const removed = first!.headers!.customRequestHeaders;
  const forged = identity.filter((name) => name.startsWith('x-account-'));
  const taken = Object.keys(removed).map((name) => name.toLowerCase());
  expect(forged.filter((name) => !taken.includes(name))).toEqual([]);
  expect(Object.values(removed).every((value) => value === '')).toBe(true);
  expect(last!.headers!.customRequestHeaders).toEqual({ Authorization: '' });
  expect((await fetch(place, { headers: { ...headers, authorization: '' } })).status).toBe(401);
}

it('package-registry: npm, pip and curl get in by Basic, and may not publish', async (ctx) => {
  needs(ctx);
  requireOrSkip(ctx, 'npm', 'pip', 'python3');
  const npm: Listening = await held(startNpmRegistry());
  const index = await held(startPythonIndex());
  const example = await held(
    Example.open('package-registry', {
      '127.0.0.1:4873': npm.address,
      '127.0.0.1:8081': index.address,
    }),
  );
  const [packed, wheel, refused, activity] = printed(await example.run());
  expect(packed).toBe('demo-1.0.0.tgz\n');
  expect(wheel).not.toContain('ERROR');
  expect(readFileSync(join(example.folder, 'demo-1.0.0-py3-none-any.whl')).length).toBeGreaterThan(
    0,
  );
  expect(refused).toContain('permission-denied');
  expect(activity).toContain('/npm/demo');
  expect(activity).toContain('/pypi/simple/demo/');
});
