import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Caller } from '../callers.ts';
import { freePort, startChild } from '../children.ts';
import type { Stage } from '../stage.ts';
import { accepts } from './nginx.ts';
import type { Peer } from './peer.ts';

const VERSION = '1.16.11';
/** Beside what npm itself keeps; `npm ci` clears it. */
const CACHE = join(
  import.meta.dirname,
  '../../../node_modules/.cache/sallyport-bench/express-gateway',
);
const PACKAGE = join(CACHE, 'node_modules/express-gateway');

/**
 * Express Gateway with its own keys in Redis. Its last release is of 2020 and brings some 700
 * packages, so it is no dependency of ours: it is installed into a cache, without running any of
 * their scripts, when somebody wants to measure it.
 */
export const expressGateway: Peer = {
  name: 'express-gateway',
  about: `Express Gateway ${VERSION}, key-auth, installed on demand (its tree is of 2020)`,
  does: { verify: 'its own keys in Redis, no cache', inject: 'yes', record: null },
  missing: () => install(),
  async start(stage, secure) {
    const folder = stage.folder(`express-gateway-${secure}`);
    const port = await freePort();
    const adminPort = await freePort();
    cpSync(join(PACKAGE, 'lib/config/models'), join(folder, 'models'), { recursive: true });
    stage.file(
      folder,
      'gateway.config.yml',
      JSON.stringify(gatewayConfig(stage, { port, adminPort, secure })),
    );
    stage.file(folder, 'system.config.yml', JSON.stringify(systemConfig(stage)));
    const program = "require('express-gateway')().load(process.env.EG_CONFIG_DIR).run();";
    const child = await startChild({
      cpus: stage.cpus.proxy,
      command: process.execPath,
      words: ['-e', program],
      cwd: CACHE,
      env: { NODE_ENV: 'production', EG_CONFIG_DIR: folder, LOG_LEVEL: 'error' },
      ready: async () => (await accepts(port)) && (await accepts(adminPort)),
    });
    const keys = await issueKeys(`http://127.0.0.1:${adminPort}`, stage.callers, String(secure));
    return {
      port,
      pids: [child.pid],
      compiles: true,
      authorization: (caller) => `apiKey ${keys.get(caller.id)}`,
      stop: () => child.stop(),
    };
  },
};

/** @returns why it cannot be had; null when it is there */
function install(): string | null {
  if (existsSync(PACKAGE)) return null;
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(join(CACHE, 'package.json'), '{ "private": true }\n');
  try {
    const words = [
      'install',
      '--no-audit',
      '--no-fund',
      '--ignore-scripts',
      '--omit=optional',
      '--loglevel=error',
    ];
    execFileSync('npm', [...words, '-E', `express-gateway@${VERSION}`], {
      cwd: CACHE,
      stdio: 'pipe',
    });
    return null;
  } catch (error) {
    return `npm could not install express-gateway@${VERSION}: ${error instanceof Error ? error.message.split('\n')[0] : error}`;
  }
}

/** Values are expressions of its own language. */
const IDENTITY = {
  remove: ['authorization'],
  add: { 'x-account-id': 'req.user.id', 'x-account-name': 'req.user.username' },
};

interface Ports {
  readonly port: number;
  readonly adminPort: number;
  readonly secure: boolean;
}

function gatewayConfig(stage: Stage, { port, adminPort, secure }: Ports): object {
  const { certificateFile, keyFile } = stage.certificate;
  const tls = { default: { key: keyFile, cert: certificateFile } };
  const listener = secure
    ? { https: { port, hostname: '127.0.0.1', tls } }
    : { http: { port, hostname: '127.0.0.1' } };
  return {
    ...listener,
    admin: { port: adminPort, host: '127.0.0.1' },
    apiEndpoints: { api: { host: '*', paths: ['/lifetimeapi/*', '/services/*'] } },
    serviceEndpoints: { deployments: { url: `http://127.0.0.1:${stage.upstream.port}` } },
    policies: ['key-auth', 'request-transformer', 'proxy'],
    pipelines: {
      default: {
        apiEndpoints: ['api'],
        policies: [
          { 'key-auth': {} },
          { 'request-transformer': { action: { headers: IDENTITY } } },
          { proxy: { action: { serviceEndpoint: 'deployments', changeOrigin: false } } },
        ],
      },
    },
  };
}

function systemConfig(stage: Stage): object {
  return {
    db: { redis: { host: '127.0.0.1', port: stage.redisPort, namespace: 'EG', emulate: false } },
    crypto: { cipherKey: 'bench', algorithm: 'aes256', saltRounds: 10 },
    session: { secret: 'bench', resave: false, saveUninitialized: false },
    accessTokens: { timeToExpiry: 7_200_000 },
    refreshTokens: { timeToExpiry: 7_200_000 },
    authorizationCodes: { timeToExpiry: 300_000 },
  };
}

/**
 * A user and a key for every caller, by the gateway's own administration. @returns `KEY:SECRET` by
 * the caller's id
 */
async function issueKeys(
  url: string,
  callers: readonly Caller[],
  suffix: string,
): Promise<ReadonlyMap<string, string>> {
  const keys = new Map<string, string>();
  for (const caller of callers) {
    const username = `${caller.name}-${suffix}`;
    await post(`${url}/users`, { username, firstname: 'Bench', lastname: caller.name });
    const credential = { credential: {}, consumerId: username, type: 'key-auth' };
    const { keyId, keySecret } = await post(`${url}/credentials`, credential);
    keys.set(caller.id, `${keyId}:${keySecret}`);
  }
  return keys;
}

async function post(url: string, body: object): Promise<Readonly<Record<string, string>>> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Record<string, string>;
}
