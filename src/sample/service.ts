import { type Context, Hono } from 'hono';
import type { Clock } from '../clock.ts';
import { digestBody, Problem } from './answers.ts';
import { addCatalogue } from './catalogue.ts';
import { addDeployments } from './deployment-routes.ts';
import { DeploymentBook } from './deployments.ts';
import { seedVersions } from './seed.ts';

/**
 * A deployment service in the manner of the ones that stand behind a gate: environments,
 * applications, versions, and deployments that take their time. It has no door of its own: whoever
 * reaches it is let in, and is called what the `X-Account-*` fields say. That is why it must only
 * be reachable through the gate.
 */
export function createSampleService(clock: Clock): Hono {
  const versions = seedVersions(clock.wallMs());
  const app = new Hono({ getPath: looseApiPath });

  app.onError((error, c) => {
    const status = error instanceof Problem ? error.status : 500;
    return c.json(
      { Errors: [error instanceof Problem ? error.message : 'Internal error'], StatusCode: status },
      status,
    );
  });
  app.notFound((c) => c.json({ Errors: ['No such resource'], StatusCode: 404 }, 404));

  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.all('/echo', echo);
  app.all('/echo/*', echo);

  addCatalogue(app, versions, clock);
  addDeployments(app, new DeploymentBook(), versions, clock);
  return app;
}

/**
 * Clients spell these paths in any letter case, with and without the slash at the end; the service
 * takes them all alike.
 */
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
