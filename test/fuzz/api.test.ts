import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiAnswer, type ApiBench, openApi, owner } from '../support/api/api.ts';
import {
  type ApiDocument,
  type DocumentedOperation,
  type MadeRequest,
  makeRequest,
  operationsOf,
} from './api/requests.ts';
import { Values } from './api/values.ts';
import { Random } from './random.ts';

const SEED = Number(process.env.FUZZ_SEED ?? 20_260_504);
/** Of each operation: such as the document asks for, and such as it does not. */
const REQUESTS = { valid: 5, odd: 6 } as const;
const DEAR_REQUESTS = { valid: 4, odd: 4 } as const;
/** More of them, while none has been let in. */
const MORE_REQUESTS = 40;
/** A change to who has it waits for a second administrator. */
const GUARDED = 'guarded';
/** A receiver of events that the configuration names. */
const HOOK = 'hook';
/** As often new things to work on are made. */
const FRESH_EVERY = 4;
/** Requests that are under way together. */
const AT_ONCE = 4;

describe(`the API, asked at random by its own document (FUZZ_SEED=${SEED})`, () => {
  let api: ApiBench;
  let folder = '';
  let document: ApiDocument;
  /** Of another administrator than the one that asks. */
  let proposer = '';
  const ajv = new Ajv2020({ strict: false, allErrors: true });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-fuzz-'));
    api = await openApi({
      foundTokens: true,
      console: { approvals: { roles: [GUARDED] } },
      webhooks: [await webhook(folder)],
    });
    const { administration } = api.test;
    await administration.createRole(owner, {
      ...{ name: GUARDED, permissions: ['guarded:all'], withoutApproval: true },
    });
    proposer = (
      await administration.createServiceAccount(owner, {
        ...{ name: 'proposer', role: 'administrator', withoutApproval: true },
      })
    ).token;
    document = (await api.call('GET', '/openapi.json', { token: null })).body;
    ajv.addSchema(document, 'api');
    await administration.createTeam(owner, { name: 'team-0', applications: ['CRM'] });
  });
  afterAll(async () => {
    await api?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('documents operations of every kind', () => {
    expect(operationsOf(document).length).toBeGreaterThan(30);
  });

  it('answers every request within the document, and none with a fault of its own', async () => {
    const random = new Random(SEED);
    const findings: string[] = [];
    const seen = new Map<string, Set<number>>();
    for (const operation of operationsOf(document)) {
      const statuses = new Set<number>();
      seen.set(operation.operationId, statuses);
      const ask = async (made: MadeRequest) => {
        const answer = await perform(api, operation, made);
        const found = judge(operation, answer);
        if (found !== null)
          findings.push(
            `${made.method} ${made.path} ${String(made.raw ?? '').slice(0, 200)}: ${found}`,
          );
        statuses.add(answer.status);
      };
      const requests = await requestsFor(operation, random, countsOf(operation));
      for (let from = 0; from < requests.length; from += AT_ONCE)
        await Promise.all(requests.slice(from, from + AT_ONCE).map(ask));
      const isLetIn = () => [...statuses].some((status) => status < 300);
      for (let more = 0; more < MORE_REQUESTS && !isLetIn(); more += 1)
        for (const made of await requestsFor(operation, random, { valid: 1, odd: 0 }))
          await ask(made);
    }
    expect(findings).toEqual([]);
    // A fuzzer that never gets in proves nothing.
    const never = [...seen]
      .filter(([, statuses]) => ![...statuses].some((status) => status < 300))
      .map(([id]) => id);
    expect(never).toEqual([]);
  }, 120_000);

  async function requestsFor(
    operation: DocumentedOperation,
    random: Random,
    { valid, odd }: { readonly valid: number; readonly odd: number },
  ): Promise<readonly MadeRequest[]> {
    const made: MadeRequest[] = [];
    let values: Values | null = null;
    for (let n = 0; n < valid + odd; n += 1) {
      if (values === null || n % FRESH_EVERY === 0)
        values = new Values(random, document.components.schemas, {
          ...(await pools(api, operation, n)),
          ...(await waitingFor(operation)),
        });
      made.push(makeRequest(operation, values, random, n < valid ? 0 : 0.12));
    }
    return made;
  }

  /** A change that waits, where the path asks for one. */
  async function waitingFor({ path }: DocumentedOperation): Promise<Record<string, string[]>> {
    if (!path.includes('{approval}')) return {};
    const name = `w-${performance.now().toString(36).replace('.', '-')}`;
    const made = await api.test.administration.createServiceAccount(owner, {
      ...{ name, role: 'tester' },
    });
    const edited = await api.call('PATCH', `/service-accounts/${made.account.id}`, {
      ...{ token: proposer, body: { role: GUARDED } },
    });
    const { approval } = edited.body as { approval: string };
    return { approval: [approval, approval, 'no-such-change'] };
  }

  /** What is wrong with an answer; null: nothing. */
  function judge(
    { responses }: DocumentedOperation,
    { status, headers, text }: ApiAnswer,
  ): string | null {
    if (status >= 500) return `${status} ${text}`;
    const documented = responses[status] ?? (status >= 400 ? responses.default : undefined);
    if (documented === undefined) return `${status} is not documented: ${text}`;
    const type = String(headers['content-type'] ?? '');
    const reference = documented.$ref === undefined ? `#/components/schemas/Problem` : undefined;
    const schema =
      documented.content?.[type]?.schema ??
      (status >= 400 ? { $ref: reference ?? '#/components/schemas/Problem' } : undefined);
    if (status >= 400 && type !== 'application/problem+json')
      return `${status} as ${type}: ${text}`;
    if (type === 'text/event-stream') return null;
    if (schema?.$ref === undefined) return `${status} as ${type} is not documented`;
    const validate = ajv.compile({ $ref: `api${schema.$ref}` });
    return validate(JSON.parse(text))
      ? null
      : `${status} does not fit ${schema.$ref}: ${ajv.errorsText(validate.errors)} ${text}`;
  }
});

/** Where nobody listens: what is sent there is told to have failed, and the request has not. */
async function webhook(folder: string) {
  const secretFile = join(folder, 'secret');
  await writeFile(secretFile, `whsec_${Buffer.alloc(32, 'k').toString('base64')}\n`);
  return { name: HOOK, url: 'http://127.0.0.1:9/', events: ['account-created'], secretFile };
}

/** A password costs a tenth of a second by design, and a found token half a one. */
function countsOf({ path, method }: DocumentedOperation) {
  return /^\/(users|tokens)\b/.test(path) && method !== 'get' ? DEAR_REQUESTS : REQUESTS;
}

/**
 * Fresh things to work on, so that each request has something to find; some that are there no more,
 * some that never were.
 */
async function pools(api: ApiBench, { path }: DocumentedOperation, n: number) {
  const { administration } = api.test;
  const tag = `${Date.now().toString(36)}-${n}-${Math.floor(performance.now() * 1000).toString(36)}`;
  await administration.createTeam(owner, { name: `t-${tag}`, applications: [] });
  // A team with members cannot be deleted.
  const teams = path.includes('/members') ? ['team-0', `t-${tag}`] : ['team-0'];
  const { account, token } = await administration.createServiceAccount(owner, {
    name: `s-${tag}`,
    role: 'tester',
    teams: teams.map((team) => ({ team, role: 'tester' })),
  });
  if (n % 2 === 0)
    await administration.grantRole(owner, { id: account.id, application: 'CRM', role: 'tester' });
  await administration.createRole(owner, { name: `r-${tag}`, permissions: ['a:b'] });
  const pool = {
    ...named(tag, account.id, token),
    ...namesFor(path, tag),
    // Of a change that is only looked at beforehand.
    input: [{ id: account.id }, { id: account.id }, { id: 'nobody' }],
  };
  if (!path.startsWith('/users/')) return pool;
  const user = await administration.createUser(owner, {
    name: `u-${tag}`,
    role: 'tester',
    password: 'the first of all passwords',
  });
  return { ...pool, id: [user.account.id, user.account.id, user.account.id, '000000000000'] };
}

/** Names that there are, where the path asks for one. */
function namesFor(path: string, tag: string): Record<string, readonly unknown[]> {
  // What follows there is an application, not an event.
  if (path === '/who-can/matrix') return { after: ['CRM'], cursor: [undefined, undefined, 'x'] };
  if (path.startsWith('/webhooks/')) return { name: [HOOK, HOOK, 'no-such-webhook'] };
  if (path.startsWith('/roles/')) return { name: [`r-${tag}`, `r-${tag}`, 'no-such-role'] };
  if (path.startsWith('/teams/')) return { name: [`t-${tag}`, `t-${tag}`, 'team-0'] };
  return {};
}

function named(tag: string, id: string, token: string): Record<string, readonly unknown[]> {
  const future = new Date(Date.now() + 86_400_000).toISOString();
  return {
    id: [id, id, id, '000000000000'],
    ids: [id, id, '000000000000'],
    leave: ['team-0', 'no-such-team'],
    plan: [undefined],
    name: [`n-${tag}`, `m-${tag}`, 'team-0'],
    account: [`s-${tag}`, `s-${tag}`, 'nobody'],
    role: ['tester', 'tester', 'none', 'no-such-role'],
    team: ['team-0', 'no-such-team'],
    application: ['CRM', `App-${tag}`],
    applications: [`App-${tag}`, 'CRM'],
    addApplications: [`App-${tag}`],
    removeApplications: [`App-${tag}`],
    permissions: ['a:b', 'a:*', 'deployments:read'],
    permission: ['a:b', 'a:b', 'a:*'],
    instance: [undefined, undefined, 'no-such-instance'],
    password: ['correct horse battery', 'another horse battery', 'short'],
    expiresAt: [future, null, 'tomorrow'],
    since: [new Date(0).toISOString()],
    until: [future],
    method: ['GET', 'POST', 'BREW'],
    path: ['/any', '/public/x', 'no-path'],
    host: ['localhost', 'localhost:1'],
    token: [token, 'slp_nothing'],
    overlapMs: [0, 60_000],
    waitMs: ['0', '1000'],
    cursor: ['x'],
    after: ['2026-01-01T00:00:00.000Z~change~x'],
    'If-Match': ['*', '*', '"1"', 'W/"1"'],
    'Last-Event-ID': ['2026-01-01T00:00:00.000Z~change~x'],
    'Idempotency-Key': [`key-${tag}`, 'the-same-for-all'],
  };
}

async function perform(
  api: ApiBench,
  operation: DocumentedOperation,
  made: MadeRequest,
): Promise<ApiAnswer> {
  if (operation.operationId === 'followActivity') return headOf(api, made);
  // The token that renews itself is not the one that asks everything else.
  if (operation.operationId !== 'renewToken') return api.call(made.method, made.path, made);
  const { token } = await api.test.createAccount({
    name: `own-${Math.floor(performance.now() * 1000).toString(36)}`,
    role: 'none',
  });
  return api.call(made.method, made.path, { ...made, token });
}

/** Of a stream only its beginning: it does not end. */
function headOf(api: ApiBench, { path, headers = {} }: MadeRequest): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const all = {
      authorization: `Bearer ${api.administrator.token}`,
      ...(headers as Record<string, string>),
    };
    const sent = request(
      `${api.url}/api/v1${path}`,
      { ca: api.ca, agent: false, headers: all },
      (answer) => {
        const status = answer.statusCode ?? 0;
        answer.on('error', () => {});
        const pieces: Buffer[] = [];
        const done = () => {
          const text = Buffer.concat(pieces).toString('utf8');
          resolve({ status, headers: answer.headers, text, body: null as never });
          sent.destroy();
        };
        if (status === 200) return done();
        answer.on('data', (piece: Buffer) => pieces.push(piece)).once('end', done);
      },
    );
    sent.once('error', reject);
    sent.end();
  });
}
