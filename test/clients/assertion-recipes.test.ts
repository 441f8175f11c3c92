import { execFile, execFileSync, spawn } from 'node:child_process';
import { createHmac, createPublicKey } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newKey, type PublishedKey, type SigningKey, signed } from '../../src/assertion/key.ts';
import { freePort } from '../support/free-port.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { valuesOf } from '../support/http-bytes.ts';
import { Asker } from '../support/questions.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { findProgram, type Part, pythonWith, requireOrSkip } from '../support/system.ts';
import { type Program, startProgram } from '../support/upstreams/upstream.ts';

/**
 * The recipes of config/examples/assertion take what a real gate signs, and nothing else: each of
 * them is shown the same lines.
 */
const ROOT = join(import.meta.dirname, '..', '..');
const RECIPES = join(ROOT, 'config', 'examples', 'assertion');
const ROUTE = { methods: ['GET'], application: 'any', permission: 'test:all' } as const;
const READY_MS = 30_000;

let gate: TestGateway;
let service: RawUpstream;
let home: string;
let keySetUrl: string;
/** The test's own, told beside those of the gate: what it signs is wrong in one respect each. */
let own: SigningKey;
let keys: Server;

const CLAIMS = () => {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: 'sallyport',
    aud: 'deployments',
    sub: 'somebody',
    name: 'somebody',
    iat: now,
    nbf: now,
    exp: now + 60,
  };
};

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'sallyport-recipes-'));
  service = await startRawUpstream({
    answer: () => [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n' }],
  });
  const addresses = [service.url];
  gate = await startGateway({
    upstreams: {
      plain: { addresses, assertion: { audience: 'deployments' } },
      bound: { addresses, assertion: { audience: 'deployments', bind: 'request' } },
    },
    routes: [
      { name: 'plain', path: '/plain', ...ROUTE, upstream: 'plain' },
      { name: 'bound', path: '/bound', ...ROUTE, upstream: 'bound' },
    ],
    plaintext: true,
    decision: {},
  });
  own = newKey(0);
  const { port } = gate.gateway.addresses.decision!;
  const told = await fetch(`http://127.0.0.1:${port}/.well-known/jwks.json`);
  const set = (await told.json()) as { keys: PublishedKey[] };
  const text = JSON.stringify({ keys: [...set.keys, own.published] });
  writeFileSync(join(home, 'jwks.json'), text);
  keys = createServer((_request, response) => response.end(text)).listen(0, '127.0.0.1');
  await new Promise((resolve) => keys.once('listening', resolve));
  keySetUrl = `http://127.0.0.1:${(keys.address() as AddressInfo).port}/.well-known/jwks.json`;
}, 60_000);

afterAll(async () => {
  keys?.close();
  await gate?.stop();
  await service?.stop();
  rmSync(home, { recursive: true, force: true });
});

async function forwarded(target: string): Promise<string> {
  service.clear();
  const asker = await Asker.open(gate.port);
  const fields = `Host: api.test\r\nAuthorization: Bearer ${gate.token}`;
  await asker.ask(`GET ${target} HTTP/1.1\r\n${fields}\r\n\r\n`);
  asker.close();
  return valuesOf(service.requests[0]!, 'x-account-assertion')[0]!;
}

const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** @param head of a token, over what is signed as it should be */
function forged(head: object, signature: (text: string) => string): string {
  const text = `${encoded({ typ: 'JWT', kid: own.kid, ...head })}.${encoded(CLAIMS())}`;
  return `${text}.${signature(text)}`;
}

/** The public key, which everybody has, taken for a shared secret. */
function hmacOf(text: string): string {
  const pem = createPublicKey(own.key).export({ format: 'pem', type: 'spki' });
  return createHmac('sha256', pem).update(text).digest('base64url');
}

/** What each recipe is shown; the last two are a method and a URI, as the service got them. */
async function lines(): Promise<readonly (readonly [string, boolean, ...string[]])[]> {
  // As the gate has signed them.
  const [genuine, bound] = [await forwarded('/plain'), await forwarded('/bound?query')];
  const [, claims = ''] = genuine.split('.');
  const stranger = newKey(0);
  const changed = encoded({ ...JSON.parse(Buffer.from(claims, 'base64url').toString()), sub: 'x' });
  const says = (more: object) => signed(own, { ...CLAIMS(), ...more });
  const { iat } = CLAIMS();
  const here = ['GET', 'http://api.test/bound'];
  return [
    ['what the gate has signed', true, genuine],
    ['what is bound to this request', true, bound, ...here],
    ['a new one of a key that is told', true, says({})],
    ['a clock that is two seconds ahead', true, says({ iat: iat + 2, nbf: iat + 2 })],
    [
      'one that has expired three seconds ago',
      true,
      says({ iat: iat - 63, nbf: iat - 63, exp: iat - 3 }),
    ],
    ['nothing', false, '-'],
    ['other claims under the same signature', false, genuine.replace(claims, changed)],
    ['no signature', false, `${genuine.split('.').slice(0, 2).join('.')}.`],
    ['alg none', false, forged({ alg: 'none' }, () => '')],
    ['alg none, and a signature', false, forged({ alg: 'none' }, () => genuine.split('.')[2]!)],
    ['alg HS256 with the public key for a secret', false, forged({ alg: 'HS256' }, hmacOf)],
    ['alg ES384', false, forged({ alg: 'ES384' }, () => genuine.split('.')[2]!)],
    ['a key that is not told', false, signed(stranger, CLAIMS())],
    [
      'another key under the name of one that is',
      false,
      signed({ ...stranger, head: own.head }, CLAIMS()),
    ],
    [
      'a signature of zeros',
      false,
      forged({ alg: 'ES256' }, () => Buffer.alloc(64).toString('base64url')),
    ],
    ['another issuer', false, says({ iss: 'elsewhere' })],
    ['another audience', false, says({ aud: 'reports' })],
    ['one that has expired', false, says({ iat: iat - 70, nbf: iat - 70, exp: iat - 10 })],
    ['one from the future', false, says({ iat: iat + 60, nbf: iat + 60, exp: iat + 120 })],
    ['one without an end', false, says({ exp: undefined })],
    ['one that is bound to another method', false, bound, 'POST', here[1]!],
    ['one that is bound to another URI', false, bound, 'GET', 'http://api.test/other'],
  ];
}

interface Recipe {
  readonly name: string;
  readonly parts: readonly Part[];
  /** What takes time, before anything is signed. */
  build?(): Promise<void>;
  /** It compares no request. */
  readonly ignoresBinding?: boolean;
  /** Shows it the lines. @returns of each whether it was taken */
  show(lines: readonly (readonly string[])[]): Promise<readonly boolean[]>;
}

const RUN: readonly Recipe[] = [
  {
    name: 'verify.mjs',
    parts: [],
    build: async () => installLibrary(),
    show: (all) => piped(process.execPath, [join(home, 'verify.mjs')], keySetUrl, all),
  },
  {
    name: 'verify-jose.mjs',
    parts: [],
    show: (all) => piped(process.execPath, [join(RECIPES, 'verify-jose.mjs')], keySetUrl, all),
  },
  {
    name: 'verify.py',
    parts: ['python3-jwt'],
    show: (all) => piped(pythonWith('jwt')!, [join(RECIPES, 'verify.py')], keySetUrl, all),
  },
  {
    name: 'verify.go',
    parts: ['go'],
    build: () => buildGo(),
    show: (all) => piped(join(home, 'verify'), [], join(home, 'jwks.json'), all),
  },
  { name: 'nginx.conf', parts: ['nginx', 'nginx-js'], show: byNginx },
  ...envoy(process.env.ENVOY_BINARY),
];

/** `sallyport/verify` as an installed package has it, beside the recipe. */
function installLibrary(): void {
  const installed = join(home, 'node_modules/sallyport');
  cpSync(join(ROOT, 'package.json'), join(installed, 'package.json'));
  const words = [
    '--project',
    'src/verify/tsconfig.json',
    '--outDir',
    join(installed, 'dist/verify'),
  ];
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, ...words], { cwd: ROOT });
  cpSync(join(RECIPES, 'verify.mjs'), join(home, 'verify.mjs'));
}

async function buildGo(): Promise<void> {
  const words = ['build', '-o', join(home, 'verify'), join(RECIPES, 'verify.go')];
  const env = { GOCACHE: join(tmpdir(), 'sallyport-go-cache'), ...process.env };
  await promisify(execFile)(findProgram('go')!, words, { env });
}

async function piped(
  program: string,
  words: readonly string[],
  KEYS: string,
  all: readonly (readonly string[])[],
): Promise<readonly boolean[]> {
  const child = spawn(program, words, {
    env: {
      ...process.env,
      KEYS,
      ISSUER: 'sallyport',
      AUDIENCE: 'deployments',
    },
  });
  let said = '';
  let failed = '';
  child.stdout.on('data', (chunk) => (said += chunk));
  child.stderr.on('data', (chunk) => (failed += chunk));
  child.stdin.end(all.map((line) => `${line.join(' ')}\n`).join(''));
  await new Promise((resolve) => child.once('close', resolve));
  const answers = said.trimEnd().split('\n');
  if (answers.length !== all.length) throw new Error(`${program}: ${said}${failed}`);
  return answers.map((answer) => {
    if (answer.startsWith('refused: ')) return false;
    expect(JSON.parse(answer)).toMatchObject({ iss: 'sallyport', sub: expect.any(String) });
    return true;
  });
}

const recipe = (name: string) => readFileSync(join(RECIPES, name), 'utf8');

async function byNginx(all: readonly (readonly string[])[]): Promise<readonly boolean[]> {
  const port = await freePort();
  const http = recipe('nginx.conf')
    .replace('/etc/nginx/njs', home)
    .replaceAll(':8081', `:${port}`)
    .replaceAll(':8080', `:${new URL(service.url).port}`);
  writeFileSync(
    join(home, 'assertion.js'),
    recipe('assertion.js').replace('/etc/nginx/jwks.json', join(home, 'jwks.json')),
  );
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${home}/${kind};`)
    .join(' ');
  writeFileSync(
    join(home, 'nginx.conf'),
    `load_module /usr/lib/nginx/modules/ngx_http_js_module.so; daemon off; master_process off;
pid ${home}/nginx.pid; worker_rlimit_nofile 4096; events { worker_connections 1024; }
http { access_log off; error_log stderr; ${temporary} ${http} }`,
  );
  const words = ['-p', home, '-c', 'nginx.conf', '-e', 'stderr'];
  return throughProxy(startProgram(findProgram('nginx')!, words), port, all);
}

/** Not of Debian: only where somebody names it. */
function envoy(binary: string | undefined): readonly Recipe[] {
  if (binary === undefined) return [];
  const show: Recipe['show'] = async (all) => {
    const port = await freePort();
    const ports: Readonly<Record<string, string>> = {
      8081: String(port),
      8080: new URL(service.url).port,
      9444: new URL(keySetUrl).port,
    };
    writeFileSync(
      join(home, 'envoy.yaml'),
      recipe('envoy.yaml').replaceAll(
        /(:|port_value: )(8081|8080|9444)\b/g,
        (_all, before: string, place: string) => `${before}${ports[place]}`,
      ),
    );
    const words = ['-c', join(home, 'envoy.yaml'), '--use-dynamic-base-id'];
    return throughProxy(startProgram(binary, words), port, all);
  };
  return [{ name: 'envoy.yaml', parts: [], ignoresBinding: true, show }];
}

/** A proxy that forwards to the service what it takes, and refuses the rest. */
async function throughProxy(
  program: Program,
  port: number,
  all: readonly (readonly string[])[],
): Promise<readonly boolean[]> {
  let said = '';
  program.child.stderr?.on('data', (chunk) => (said = `${said}${chunk}`.slice(-3000)));
  try {
    const taken: boolean[] = [];
    for (const [assertion = '', method = 'GET', uri = 'http://api.test/plain'] of all) {
      service.clear();
      const asker = await opened(port, () => said);
      const target = `${new URL(uri).pathname}?query`;
      const fields = `Host: api.test\r\nX-Account-Assertion: ${assertion}\r\nContent-Length: 0`;
      const { status } = await asker.ask(`${method} ${target} HTTP/1.1\r\n${fields}\r\n\r\n`);
      asker.close();
      expect([200, 401, 403], said).toContain(status);
      expect(service.requests.length).toBe(status === 200 ? 1 : 0);
      taken.push(status === 200);
    }
    return taken;
  } finally {
    await program.stop();
  }
}

async function opened(port: number, said: () => string): Promise<Asker> {
  for (const endMs = performance.now() + READY_MS; performance.now() < endMs; await sleep(20)) {
    try {
      return await Asker.open(port);
    } catch {
      // It does not listen yet.
    }
  }
  throw new Error(`nothing listens: ${said()}`);
}

describe.each(RUN)('$name', ({ parts, build, ignoresBinding = false, show }) => {
  beforeEach((ctx) => requireOrSkip(ctx, ...parts));

  it('takes what the gate vouches for, and nothing else', async () => {
    await build?.();
    const shown = (await lines()).filter(([, , ...line]) => !ignoresBinding || line.length === 1);
    const taken = await show(shown.map(([, , ...line]) => line));
    expect(shown.map(([what], at) => [what, taken[at]])).toEqual(
      shown.map(([what, takes]) => [what, takes]),
    );
  }, 180_000);
});
