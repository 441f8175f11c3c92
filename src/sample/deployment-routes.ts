import type { Context, Hono } from 'hono';
import type { Clock } from '../clock.ts';
import { BASE, caller, digestBody, jsonLimit, jsonObject, list, Problem, pick, text } from './answers.ts';
import { COMMANDS, type Deployment, type DeploymentBook, logAt, stateAt } from './deployments.ts';
import { APPLICATIONS, ENVIRONMENTS, type Version } from './seed.ts';

/** Deployments: planned for any applications, started for one, or uploaded as a package. */
export function addDeployments(app: Hono, book: DeploymentBook, versions: readonly Version[], clock: Clock): void {
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

function operations(body: Readonly<Record<string, unknown>>, versions: readonly Version[]): readonly string[] {
  const asked = body.ApplicationOperations;
  if (!Array.isArray(asked) || asked.length === 0 || asked.length > 50) {
    throw new Problem(400, 'ApplicationOperations must be a list of 1 to 50 entries with an ApplicationVersionKey');
  }
  return asked.map((operation: { ApplicationVersionKey?: unknown } | null) => {
    return pick(versions, String(operation?.ApplicationVersionKey ?? ''), 'application version', 400).Key;
  });
}
