import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { AUDIT_PARTITIONS } from '../../../src/audit/partitions.ts';
import { auditKeys } from '../../../src/store/keys.ts';
import { type Stack, until } from './stack.ts';

const READ = '/lifetimeapi/rest/v2/environments';
const DEPLOY = '/lifetimeapi/rest/v2/deployments/';
const FOLDERS_OF_SECRETS = '/run/sallyport';
const FORBIDDEN =
  '/intruder /app/bin/sallyport /app/dist/app/main.js /etc/intruder /run/sallyport/gate/intruder';
const SERVICES = ['redis', 'sample', 'gate', 'console'];

/** What the checks hand on to each other. Filled by `issueTokens`. */
export interface Tokens {
  deployer: string;
  viewer: string;
  administrator: string;
  password: string;
}

export type Check = readonly [what: string, check: (stack: Stack, tokens: Tokens) => Promise<void>];

/** In this order: the later ones build on the accounts of the earlier ones. */
export const CHECKS: readonly Check[] = [
  ['every container that stays becomes healthy', becomesHealthy],
  ['the command line in a container makes accounts, and shows each token once', issueTokens],
  ['whoever holds a token is let in over HTTPS, and the others are refused', letsInAndRefuses],
  [
    'calls and refusals are in the audit streams of Redis, and in the activity of the account',
    isOnRecord,
  ],
  ['the console and the API answer, and the API only to an administrator', consoleAnswers],
  ['no container runs as root, holds a capability, or can write where it need not', isHardened],
  ['only the gate is reached from outside, and Redis not even from the sample service', isApart],
  [
    'the Redis user of the gate cannot write the registry, and nobody is the default user',
    usersAreInForce,
  ],
  ['docker stop lets a call in flight finish, and ends with 0', drains],
  ['accounts outlive the restart of the gate', startsAgain],
  ['the gate outlives the restart of Redis', redisRestarts],
  ['no secret is in docker inspect, the history of the image, or the logs', tellsNoSecret],
  ['accounts outlive down and up', downAndUp],
];

async function becomesHealthy(stack: Stack): Promise<void> {
  await Promise.all(SERVICES.map((service) => stack.healthy(service)));
}

async function issueTokens(stack: Stack, tokens: Tokens): Promise<void> {
  const created = async (name: string, role: string) =>
    tokenIn(await stack.manage('account', 'create', name, '--role', role));
  tokens.deployer = await created('ci', 'deployer');
  tokens.viewer = await created('reader', 'viewer');
  tokens.administrator = await created('keeper', 'administrator');
  tokens.password = await stack.manage(
    'user',
    'create',
    'alice',
    '--role',
    'administrator',
    '--generate-password',
  );
  await stack.trust();
}

function tokenIn(text: string): string {
  const token = /slp_\w{12}_\w{49}/.exec(text)?.[0];
  assert(token, 'a token is shown');
  return token;
}

async function letsInAndRefuses(stack: Stack, tokens: Tokens): Promise<void> {
  const status = async (path: string, token?: string, ...words: string[]) =>
    (await stack.curl(stack.url + path, token, ...words)).status;
  assert.equal(await status(READ, tokens.deployer), 200, 'a token that counts');
  assert.equal(await status(READ, tokens.viewer), 200, 'a token that may only look');
  assert.equal(await status('/healthz'), 200, 'a public route');
  assert.equal(await status(READ), 401, 'no token');
  assert.equal(await status(READ, `${tokens.deployer.slice(0, -1)}!`), 401, 'a token that is none');
  assert.equal(
    await status(`${DEPLOY}1/start`, tokens.viewer, '-X', 'POST'),
    403,
    'a role that may not',
  );
  const told = JSON.parse(
    (await stack.curl(`${stack.url}/echo/me`, tokens.deployer, '-H', 'X-Account-Name: root')).body,
  );
  assert.equal(told.headers['x-account-name'], 'ci', 'the service is told who it is');
}

async function isOnRecord(stack: Stack): Promise<void> {
  const record = await auditOf(stack);
  for (const part of ['"status":200', '"status":401', '"status":403', READ])
    assert(record.includes(part), `${part} is on record`);
  assert(
    (await stack.manage('activity', 'ci')).includes(READ),
    'the activity of the account shows the call',
  );
}

async function auditOf(stack: Stack): Promise<string> {
  const keys = auditKeys('sallyport');
  const streams = Array.from({ length: AUDIT_PARTITIONS }, (_, partition) =>
    keys.stream(partition),
  );
  const parts: string[] = [];
  for (const stream of streams)
    parts.push(await redisAs(stack, 'manager', 'XRANGE', stream, '-', '+'));
  return parts.join('\n');
}

async function consoleAnswers(stack: Stack, tokens: Tokens): Promise<void> {
  const url = `https://localhost:${stack.ports.console}`;
  const page = await stack.curl(`${url}/sign-in`);
  assert.equal(page.status, 200, 'the sign-in page');
  assert.match(page.body, /<form/i);
  const asked = (token?: string) => stack.curl(`${url}/api/v1/service-accounts`, token);
  const { status, body } = await asked(tokens.administrator);
  assert.equal(status, 200, 'the API to an administrator');
  assert.match(body, /"ci"/);
  assert.equal((await asked(tokens.viewer)).status, 403, 'the API to somebody else');
  assert.equal((await asked()).status, 401, 'the API to nobody');
}

interface Inspected {
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean;
    readonly Privileged: boolean;
    readonly SecurityOpt: readonly string[];
  };
  readonly Config: { readonly User: string };
}

async function isHardened(stack: Stack): Promise<void> {
  for (const service of SERVICES) {
    const { HostConfig: host, Config: config } = await stack.inspect<Inspected>(service);
    assert(host.ReadonlyRootfs && !host.Privileged, `${service}: read-only, not privileged`);
    assert(host.SecurityOpt.includes('no-new-privileges:true'), service);
    assert.match(
      config.User,
      /^[1-9]\d*:[1-9]\d*$/,
      `${service}: user and group are numbers, and not root's`,
    );
    // A subshell for each: a redirection that fails ends the shell.
    const { out } = await stack.inside(
      service,
      'sh',
      '-c',
      `cat /proc/1/status; for path in ${FORBIDDEN}; do (: >> $path) && echo wrote $path; done`,
    );
    assert.match(out, /^Uid:(\t[1-9]\d*){4}$/m, `${service}: process 1 is not root`);
    assert.match(out, /^CapEff:\t0+$/m, `${service}: no capability in effect`);
    assert.match(out, /^CapBnd:\t0+$/m, `${service}: none to be had`);
    assert.deepEqual(out.match(/^wrote .*/gm) ?? [], [], `${service} can write`);
  }
}

async function isApart(stack: Stack): Promise<void> {
  const ports = (
    await stack.docker('ps', '--filter', `name=${stack.project}`, '--format', '{{.Ports}}')
  )
    .trim()
    .split('\n');
  for (const port of ports.join(',').match(/[^\s,]+->/g) ?? [])
    assert.match(port, /^127\.0\.0\.1:/, 'published on this machine only');
  const { NetworkSettings: settings } = await stack.inspect<{
    NetworkSettings: { Networks: Record<string, { IPAddress: string }> };
  }>('redis');
  const addresses = Object.values(settings.Networks).map((network) => network.IPAddress);
  assert.equal(addresses.length, 1, 'Redis is on one network');
  const reach = `const socket = require('net').connect({ host: '${addresses[0]}', port: 6379, timeout: 2000 });
    socket.on('connect', () => process.exit(0)).on('error', () => process.exit(3)).on('timeout', () => process.exit(3));`;
  assert.equal((await stack.inside('gate', 'node', '-e', reach)).code, 0, 'the gate reaches Redis');
  assert.equal(
    (await stack.inside('sample', 'node', '-e', reach)).code,
    3,
    'the sample service does not',
  );
}

async function usersAreInForce(stack: Stack): Promise<void> {
  const key = 'sallyport:{registry}:account:intruder';
  const refused = /NOPERM/;
  assert.match(
    await redisAs(stack, 'gate', 'SET', key, '{}'),
    refused,
    'the gate cannot make an account',
  );
  assert.match(
    await redisAs(stack, 'gate', 'HSET', 'sallyport:{registry}:roles', 'x', '{}'),
    refused,
    'nor a role',
  );
  assert.match(
    await redisAs(stack, 'gate', 'EVAL', "return redis.call('SET', KEYS[1], 'x')", '1', key),
    refused,
    'nor by a script',
  );
  assert.match(
    await redisAs(stack, 'gate', 'CONFIG', 'GET', '*'),
    refused,
    'nor read the configuration of Redis',
  );
  assert.match(
    await redisAs(stack, 'manager', 'FLUSHALL'),
    refused,
    'the manager is no administrator of Redis',
  );
  assert.match(
    (await stack.inside('redis', 'redis-cli', 'GET', key)).out,
    /NOAUTH/,
    'the default user is off',
  );
}

/** What Redis answers, errors too. */
async function redisAs(
  stack: Stack,
  user: 'gate' | 'manager',
  ...words: string[]
): Promise<string> {
  const password = await passwordOf(stack, user);
  const { out, err } = await stack.inside(
    'redis',
    'env',
    `REDISCLI_AUTH=${password}`,
    'redis-cli',
    '--user',
    user,
    ...words,
  );
  return out + err;
}

const passwords = new Map<string, string>();

async function passwordOf(stack: Stack, user: 'gate' | 'manager'): Promise<string> {
  const known = passwords.get(user);
  if (known !== undefined) return known;
  const [service, folder] =
    user === 'gate' ? (['gate', 'gate'] as const) : (['console', 'manage'] as const);
  const password = (
    await stack.inside(service, 'cat', `${FOLDERS_OF_SECRETS}/${folder}/redis.password`)
  ).out.trim();
  assert.match(password, /^[0-9a-f]{64}$/, `the password of ${user}`);
  passwords.set(user, password);
  return password;
}

async function drains(stack: Stack, tokens: Tokens): Promise<void> {
  const call = slowUpload(stack, tokens.deployer);
  await call.started;
  const container = await stack.container('gate');
  const stopped = stack.docker('stop', '--time', '40', container);
  // While it drains, /readyz says so; only then does the rest of the body come.
  await until(
    'the gate drains',
    async () => (await stack.curl(`http://127.0.0.1:${stack.ports.ops}/readyz`)).status === 503,
  );
  call.finish();
  assert.equal(await call.status, 200, 'the call in flight is answered');
  await stopped;
  const [state] = JSON.parse(await stack.docker('inspect', container)) as [
    { State: { ExitCode: number; OOMKilled: boolean } },
  ];
  assert.equal(state.State.ExitCode, 0, 'it ends by itself, within its time of grace');
}

/**
 * A POST whose second half waits for `finish`. `started` when the service behind has begun to read
 * it, as far as can be told from here.
 */
function slowUpload(stack: Stack, token: string) {
  const status = Promise.withResolvers<number>();
  const started = Promise.withResolvers<void>();
  const outgoing = request(`${stack.url}/echo/slow`, {
    method: 'POST',
    ca: readFileSync(stack.caFile),
    headers: { authorization: `Bearer ${token}`, 'content-length': 10, expect: '100-continue' },
  });
  outgoing.on('continue', () => {
    outgoing.write('12345');
    started.resolve();
  });
  outgoing.on('response', (response) => status.resolve(response.resume().statusCode ?? 0));
  outgoing.on('error', (error) => {
    started.reject(error);
    status.reject(error);
  });
  outgoing.flushHeaders();
  return { started: started.promise, status: status.promise, finish: () => outgoing.end('67890') };
}

async function startsAgain(stack: Stack, tokens: Tokens): Promise<void> {
  await stack.compose('start', 'gate');
  await isIn(stack, tokens);
}

async function redisRestarts(stack: Stack, tokens: Tokens): Promise<void> {
  await stack.compose('restart', 'redis');
  await isIn(stack, tokens);
  assert.equal(
    (await stack.manage('account', 'list', '--json')).includes('"ci"'),
    true,
    'the registry is there',
  );
}

async function downAndUp(stack: Stack, tokens: Tokens): Promise<void> {
  await stack.compose('down');
  await stack.compose('up', '--detach');
  await isIn(stack, tokens);
}

async function isIn(stack: Stack, tokens: Tokens): Promise<void> {
  await stack.ready();
  await until(
    'the token is let in',
    async () => (await stack.curl(stack.url + READ, tokens.deployer)).status === 200,
  );
}

async function tellsNoSecret(stack: Stack, tokens: Tokens): Promise<void> {
  const secrets = new Map(Object.entries(tokens));
  secrets.set('password of gate', await passwordOf(stack, 'gate'));
  secrets.set('password of manager', await passwordOf(stack, 'manager'));
  secrets.set(
    'tls.key',
    secondLine((await stack.inside('gate', 'cat', `${FOLDERS_OF_SECRETS}/gate/tls.key`)).out),
  );
  const containers = await stack.containers();
  const told = [
    await stack.docker('inspect', ...containers, stack.image),
    await stack.docker('history', '--no-trunc', stack.image),
    ...(await Promise.all(containers.map((container) => stack.logs(container)))),
  ].join('\n');
  assert(told.includes('the gate is open'), 'the logs were read');
  for (const [name, secret] of secrets) {
    assert(secret.length >= 16, `${name} is known`);
    assert(!told.includes(secret), `${name} is told`);
  }
}

/** Of a PEM file: where the key begins. */
function secondLine(text: string): string {
  return text.split('\n')[1] ?? '';
}
