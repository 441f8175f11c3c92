import type { Context, Hono } from 'hono';
import type { Clock } from '../clock.ts';
import {
  BASE,
  caller,
  digestBody,
  jsonLimit,
  jsonObject,
  list,
  Problem,
  pick,
  text,
} from './answers.ts';
import { COMMANDS, type Deployment, type DeploymentBook, logAt, stateAt } from './deployments.ts';
import { APPLICATIONS, ENVIRONMENTS, type Environment, type Version } from './seed.ts';

type Plan = Pick<Deployment, 'applications' | 'source' | 'target' | 'notes'>;

/** Deployments: planned for any applications, made for one, or uploaded as a package. */
export function addDeployments(
  app: Hono,
  book: DeploymentBook,
  versions: readonly Version[],
  clock: Clock,
): void {
  const find = (c: Context): Deployment => {
    const key = c.req.param('deployment') ?? '';
    const found = book.find(key);
    if (found === null) throw new Problem(404, `No deployment has the key ${key}`);
    return found;
  };
  const save = (c: Context, plan: Plan, { EnvironmentType }: Environment): Deployment =>
    book.add({
      ...plan,
      createdBy: caller(c),
      createdAtMs: clock.wallMs(),
      asksHalfWay: EnvironmentType === 'Production',
    });
  const start = (c: Context, saved: Deployment): Deployment => {
    const started = COMMANDS.start.apply(saved, caller(c), clock.wallMs());
    book.replace(started);
    return started;
  };
  const show = (deployment: Deployment) => view(deployment, clock.wallMs());

  app.get(`${BASE}/deployments`, (c) => list(c, book.all().map(show)));
  app.get(`${BASE}/deployments/:deployment`, (c) => c.json(show(find(c))));
  app.get(`${BASE}/deployments/:deployment/status`, (c) => {
    const deployment = find(c);
    const now = clock.wallMs();
    return c.json({
      DeploymentStatus: stateAt(deployment, now),
      Info: '',
      DeploymentLog: logAt(deployment, now),
    });
  });
  app.post(`${BASE}/deployments`, jsonLimit, async (c) => {
    const body = await jsonObject(c);
    const { plan, target } = readPlan(body, versions);
    return c.json(show(save(c, plan, target)), 201);
  });
  app.delete(`${BASE}/deployments/:deployment`, (c) => {
    const deployment = find(c);
    requireState(deployment, ['saved', 'aborted'], 'deleted', clock.wallMs());
    book.remove(deployment.key);
    return c.body(null, 204);
  });

  const command = (c: Context) => {
    const deployment = find(c);
    const word = c.req.param('command') as keyof typeof COMMANDS;
    mustBeOf(deployment, c.req.param('application'));
    requireState(deployment, COMMANDS[word].from, `asked to ${word}`, clock.wallMs());
    book.replace(COMMANDS[word].apply(deployment, caller(c), clock.wallMs()));
    return c.json({}, 202);
  };
  app.post(`${BASE}/deployments/:deployment/:command{start|continue|abort}`, command);
  app.post(
    `${BASE}/applications/:application/deployments/:deployment/:command{start|continue|abort}`,
    command,
  );

  // The short way: one application, named in the path, so that a gate can tell applications apart.
  app.post(`${BASE}/applications/:application/deployments`, jsonLimit, async (c) => {
    const { Key } = pick(APPLICATIONS, c.req.param('application'), 'application');
    const { plan, target } = readShortPlan(await jsonObject(c, {}), versions, Key);
    return c.json(show(start(c, save(c, plan, target))), 201);
  });
  app.post(`${BASE}/environments/:environment/deployment`, async (c) => {
    const target = pick(ENVIRONMENTS, c.req.param('environment'), 'environment');
    if (
      !(c.req.header('content-type') ?? '').toLowerCase().startsWith('application/octet-stream')
    ) {
      throw new Problem(415, 'A package is sent as application/octet-stream');
    }
    const upload = await digestBody(c);
    if (upload.bytes === 0) throw new Problem(400, 'The package is empty');
    const notes = `Uploaded package, sha256 ${upload.sha256}`;
    const saved = save(
      c,
      { applications: ['package'], source: null, target: target.Key, notes },
      target,
    );
    return c.json({ ...show(start(c, saved)), Package: upload }, 201);
  });
}

interface ReadPlan {
  readonly plan: Plan;
  readonly target: Environment;
}

function readPlan(body: Readonly<Record<string, unknown>>, versions: readonly Version[]): ReadPlan {
  const target = pick(ENVIRONMENTS, text(body, 'TargetEnvironmentKey'), 'environment', 400);
  const source = text(body, 'SourceEnvironmentKey', '');
  const plan = {
    applications: operations(body, versions),
    source: source === '' ? null : pick(ENVIRONMENTS, source, 'environment', 400).Key,
    target: target.Key,
    notes: text(body, 'Notes', ''),
  };
  return { plan, target };
}

/** Without a word said: the newest version, to the test environment. */
function readShortPlan(
  body: Readonly<Record<string, unknown>>,
  versions: readonly Version[],
  application: string,
): ReadPlan {
  const target = pick(ENVIRONMENTS, text(body, 'TargetEnvironmentKey', 'test'), 'environment', 400);
  const own = versions.filter((version) => version.ApplicationKey === application);
  const asked = text(body, 'ApplicationVersionKey', own.at(-1)?.Key ?? '');
  const version = pick(own, asked, 'version of this application', 400);
  return {
    plan: {
      applications: [version.Key],
      source: null,
      target: target.Key,
      notes: text(body, 'Notes', ''),
    },
    target,
  };
}

/**
 * Whoever may deploy one application must not reach another's deployment through that application's
 * path.
 */
function mustBeOf(deployment: Deployment, application: string | undefined): void {
  if (application === undefined) return;
  const { Key } = pick(APPLICATIONS, application, 'application');
  const only = deployment.applications.every((version) => version.startsWith(`${Key}-`));
  if (!only) throw new Problem(404, `Deployment ${deployment.key} is not one of ${Key} alone`);
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
    StartedOn:
      deployment.startedAtMs === null ? null : new Date(deployment.startedAtMs).toISOString(),
  };
}

function requireState(
  deployment: Deployment,
  states: readonly string[],
  done: string,
  nowMs: number,
): void {
  const state = stateAt(deployment, nowMs);
  if (!states.includes(state))
    throw new Problem(409, `Deployment ${deployment.key} is ${state} and cannot be ${done}`);
}

function operations(
  body: Readonly<Record<string, unknown>>,
  versions: readonly Version[],
): readonly string[] {
  const asked = body.ApplicationOperations;
  if (!Array.isArray(asked) || asked.length === 0 || asked.length > 50) {
    throw new Problem(
      400,
      'ApplicationOperations must be a list of 1 to 50 entries with an ApplicationVersionKey',
    );
  }
  return asked.map((operation: { ApplicationVersionKey?: unknown } | null) => {
    return pick(
      versions,
      String(operation?.ApplicationVersionKey ?? ''),
      'application version',
      400,
    ).Key;
  });
}
