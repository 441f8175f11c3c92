import { createHash } from 'node:crypto';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Clock } from '../clock.ts';
import { COMMANDS, type Deployment, DeploymentBook, logAt, stateAt } from './deployments.ts';
import { APPLICATIONS, ENVIRONMENTS, seedVersions, type Version } from './seed.ts';

/**
 * A deployment service in the manner of the ones that stand behind a gate: environments, applications, versions, and deployments that take
 * their time. It has no door of its own: whoever reaches it is let in, and is called what the `X-Account-*` fields say.
 * That is why it must only be reachable through the gate.
 */
export const BASE = '/lifetimeapi/rest/v2';

const LIMITS = { jsonBytes: 64 * 1024, versions: 2_000, textCharacters: 500 } as const;

class Problem extends Error {
  readonly status: 400 | 404 | 409 | 415;
  constructor(status: Problem['status'], message: string) {
    super(message);
    this.status = status;
  }
}

export function createSampleService(clock: Clock): Hono {
  const book = new DeploymentBook();
  const versions = seedVersions(clock.wallMs());
  const app = new Hono({ getPath: looseApiPath });

  app.onError((error, c) => {
    const status = error instanceof Problem ? error.status : 500;
    return c.json({ Errors: [error instanceof Problem ? error.message : 'Internal error'], StatusCode: status }, status);
  });
  app.notFound((c) => c.json({ Errors: ['No such resource'], StatusCode: 404 }, 404));

  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.all('/echo', echo);
  app.all('/echo/*', echo);

  catalogue(app, versions, clock);
  deployments(app, book, versions, clock);
  return app;
}

/** Clients spell these paths in any letter case, with and without the slash at the end; the service takes them all alike. */
function looseApiPath(request: Request): string {
  const path = new URL(request.url).pathname;
  return path.toLowerCase().replace(/(?<=.)\/$/, '');
}

/** Shows the request as it arrived, so that a caller sees what the gate made of it. */
async function echo(c: Context): Promise<Response> {
  const body = await digestBody(c);
  const headers = Object.fromEntries([...c.req.raw.headers].sort(([a], [b]) => a.localeCompare(b)));
  const { pathname, search } = new URL(c.req.url);
  return c.json({ method: c.req.method, target: pathname + search, headers, body });
}

function catalogue(app: Hono, versions: Version[], clock: Clock): void {
  app.get(`${BASE}/environments`, (c) => list(c, ENVIRONMENTS));
  app.get(`${BASE}/environments/:environment`, (c) => c.json(pick(ENVIRONMENTS, c.req.param('environment'), 'environment')));
  app.get(`${BASE}/environments/:environment/applications`, (c) => {
    pick(ENVIRONMENTS, c.req.param('environment'), 'environment');
    return list(c, APPLICATIONS);
  });
  app.get(`${BASE}/applications`, (c) => list(c, APPLICATIONS));
  app.get(`${BASE}/applications/:application`, (c) => c.json(pick(APPLICATIONS, c.req.param('application'), 'application')));
  app.get(`${BASE}/applications/:application/versions`, (c) => {
    const { Key } = pick(APPLICATIONS, c.req.param('application'), 'application');
    return list(
      c,
      versions.filter((version) => version.ApplicationKey === Key),
    );
  });
  app.get(`${BASE}/applications/:application/versions/:version`, (c) => c.json(versionOf(c, versions)));
  app.get(`${BASE}/applications/:application/versions/:version/content`, (c) => {
    const version = versionOf(c, versions);
    return c.json({ url: `${outsideOrigin(c)}${BASE}/applications/${version.ApplicationKey}/versions/${version.Key}/package` });
  });
  app.get(`${BASE}/applications/:application/versions/:version/package`, (c) => {
    const version = versionOf(c, versions);
    c.header('Content-Type', 'application/octet-stream');
    c.header('Content-Disposition', `attachment; filename="${version.Key}.oap"`);
    return c.body(`package of ${version.Key}\n`.repeat(1024));
  });
  app.post(`${BASE}/environments/:environment/applications/:application/versions`, jsonLimit, async (c) => {
    pick(ENVIRONMENTS, c.req.param('environment'), 'environment');
    const { Key } = pick(APPLICATIONS, c.req.param('application'), 'application');
    const body = await jsonObject(c);
    const number = text(body, 'Version');
    if (!/^\d{1,4}(\.\d{1,4}){0,3}$/.test(number)) throw new Problem(400, 'Version must look like 1.4.0');
    if (versions.some((v) => v.ApplicationKey === Key && v.Version === number))
      throw new Problem(409, `Version ${number} of ${Key} exists`);
    if (versions.length >= LIMITS.versions) versions.shift();
    const made: Version = {
      Key: `${Key}-${number}`,
      ApplicationKey: Key,
      Version: number,
      ChangeLog: text(body, 'ChangeLog', ''),
      CreatedOn: new Date(clock.wallMs()).toISOString(),
      CreatedBy: caller(c),
    };
    versions.push(made);
    return c.json(made, 201);
  });
}

function deployments(app: Hono, book: DeploymentBook, versions: readonly Version[], clock: Clock): void {
  const find = (c: Context): Deployment => {
    const found = book.find(c.req.param('deployment') ?? '');
    if (found === null) throw new Problem(404, `No deployment has the key ${c.req.param('deployment')}`);
    return found;
  };

  app.get(`${BASE}/deployments`, (c) =>
    list(
      c,
      book.all().map((deployment) => view(deployment, clock.wallMs())),
    ),
  );
  app.post(`${BASE}/deployments`, jsonLimit, async (c) => {
    const body = await jsonObject(c);
    const target = pick(ENVIRONMENTS, text(body, 'TargetEnvironmentKey'), 'environment', 400);
    const source = text(body, 'SourceEnvironmentKey', '');
    const deployment = book.add({
      applications: operations(body, versions),
      source: source === '' ? null : pick(ENVIRONMENTS, source, 'environment', 400).Key,
      target: target.Key,
      notes: text(body, 'Notes', ''),
      createdBy: caller(c),
      createdAtMs: clock.wallMs(),
      asksHalfWay: target.EnvironmentType === 'Production',
    });
    return c.json(view(deployment, clock.wallMs()), 201);
  });
  app.get(`${BASE}/deployments/:deployment`, (c) => c.json(view(find(c), clock.wallMs())));
  app.delete(`${BASE}/deployments/:deployment`, (c) => {
    const deployment = find(c);
    requireState(deployment, ['saved', 'aborted'], 'deleted', clock.wallMs());
    book.remove(deployment.key);
    return c.body(null, 204);
  });
  app.get(`${BASE}/deployments/:deployment/status`, (c) => {
    const deployment = find(c);
    const now = clock.wallMs();
    return c.json({ DeploymentStatus: stateAt(deployment, now), Info: '', DeploymentLog: logAt(deployment, now) });
  });
  app.post(`${BASE}/deployments/:deployment/:command{start|continue|abort}`, (c) => {
    const deployment = find(c);
    const command = COMMANDS[c.req.param('command') as keyof typeof COMMANDS];
    requireState(deployment, command.from, `asked to ${c.req.param('command')}`, clock.wallMs());
    book.replace(command.apply(deployment, caller(c), clock.wallMs()));
    return c.json({}, 202);
  });
  app.post(`${BASE}/environments/:environment/deployment`, async (c) => {
    const target = pick(ENVIRONMENTS, c.req.param('environment'), 'environment');
    if (!(c.req.header('content-type') ?? '').toLowerCase().startsWith('application/octet-stream')) {
      throw new Problem(415, 'A package is sent as application/octet-stream');
    }
    const upload = await digestBody(c);
    if (upload.bytes === 0) throw new Problem(400, 'The package is empty');
    const plan = {
      applications: ['package'],
      source: null,
      target: target.Key,
      notes: `Uploaded package, sha256 ${upload.sha256}`,
    };
    const asksHalfWay = target.EnvironmentType === 'Production';
    const saved = book.add({ ...plan, createdBy: caller(c), createdAtMs: clock.wallMs(), asksHalfWay });
    const started = COMMANDS.start.apply(saved, caller(c), clock.wallMs());
    book.replace(started);
    return c.json({ ...view(started, clock.wallMs()), Package: upload }, 201);
  });
}

function view(deployment: Deployment, nowMs: number): Record<string, unknown> {
  return {
    Key: deployment.key,
    Status: stateAt(deployment, nowMs),
    Applications: deployment.applications,
    SourceEnvironmentKey: deployment.source,
    TargetEnvironmentKey: deployment.target,
    Notes: deployment.notes,
    CreatedBy: deployment.createdBy,
    CreatedOn: new Date(deployment.createdAtMs).toISOString(),
    StartedBy: deployment.startedBy,
    StartedOn: deployment.startedAtMs === null ? null : new Date(deployment.startedAtMs).toISOString(),
  };
}

function requireState(deployment: Deployment, states: readonly string[], done: string, nowMs: number): void {
  const state = stateAt(deployment, nowMs);
  if (!states.includes(state)) throw new Problem(409, `Deployment ${deployment.key} is ${state} and cannot be ${done}`);
}

/** The caller as the gate names it. Without a gate in front there is nobody. */
function caller(c: Context): string {
  return c.req.header('x-account-name') ?? 'anonymous';
}

/** Where the client believes this service to be: links in answers must lead through the gate again. */
function outsideOrigin(c: Context): string {
  const here = new URL(c.req.url);
  return `${c.req.header('x-forwarded-proto') ?? here.protocol.slice(0, -1)}://${c.req.header('x-forwarded-host') ?? here.host}`;
}

function list(c: Context, items: readonly unknown[]): Response {
  return items.length === 0 ? c.body(null, 204) : c.json(items);
}

function pick<T extends { readonly Key: string }>(items: readonly T[], key: string, what: string, status: 400 | 404 = 404): T {
  const found = items.find((item) => item.Key.toLowerCase() === key.toLowerCase());
  if (found === undefined) throw new Problem(status, `No ${what} has the key ${key}`);
  return found;
}

function versionOf(c: Context, versions: readonly Version[]): Version {
  const { Key } = pick(APPLICATIONS, c.req.param('application') ?? '', 'application');
  const own = versions.filter((version) => version.ApplicationKey === Key);
  return pick(own, c.req.param('version') ?? '', 'version');
}

function operations(body: Readonly<Record<string, unknown>>, versions: readonly Version[]): readonly string[] {
  const asked = body['ApplicationOperations'];
  if (!Array.isArray(asked) || asked.length === 0 || asked.length > 50) {
    throw new Problem(400, 'ApplicationOperations must be a list of 1 to 50 entries with an ApplicationVersionKey');
  }
  return asked.map((operation: { ApplicationVersionKey?: unknown } | null) => {
    return pick(versions, String(operation?.ApplicationVersionKey ?? ''), 'application version', 400).Key;
  });
}

function text(body: Readonly<Record<string, unknown>>, field: string, fallback?: string): string {
  const value = body[field] ?? fallback;
  if (typeof value === 'string' && value.length <= LIMITS.textCharacters && (value !== '' || fallback !== undefined))
    return value;
  throw new Problem(400, `${field} must be text of at most ${LIMITS.textCharacters} characters`);
}

const jsonLimit = bodyLimit({
  maxSize: LIMITS.jsonBytes,
  onError: (c) => c.json({ Errors: [`The body may have ${LIMITS.jsonBytes} bytes`], StatusCode: 413 }, 413),
});

async function jsonObject(c: Context): Promise<Record<string, unknown>> {
  const body: unknown = await c.req.json().catch(() => null);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new Problem(400, 'The body must be a JSON object');
  return body as Record<string, unknown>;
}

/** Reads a body of any size without keeping it. */
async function digestBody(c: Context): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of c.req.raw.body ?? []) {
    bytes += chunk.byteLength;
    hash.update(chunk);
  }
  return { bytes, sha256: hash.digest('hex') };
}
