import { Hono } from 'hono';
import type { Log } from '../telemetry/log.ts';
import { assessReadiness, type Check } from './readiness.ts';

export interface OpsParts {
  readonly checks: readonly Check[];
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  readonly log: Log;
}

/**
 * Nothing here is a page: whoever opens it in a browser gets text that can run, frame and leak
 * nothing.
 */
const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

const PATHS = ['/livez', '/readyz', '/metrics'] as const;

/**
 * The three questions that a platform asks: alive, ready, and how is it going. Served without
 * authentication, so nothing in them is secret.
 */
export function createOpsApp({ checks, metrics, log }: OpsParts): Hono {
  const app = new Hono();
  const scrape = singleFlight(() => metrics.text());

  app.use(async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.res.headers.set(name, value);
  });
  // Alive = the event loop turns. Whether the stores answer is not asked: a restart would not bring
  // them back.
  app.get('/livez', (c) => c.json({ alive: true }));
  app.get('/readyz', (c) => {
    const readiness = assessReadiness(checks);
    return c.json(readiness, readiness.ready ? 200 : 503);
  });
  app.get('/metrics', async (c) =>
    c.body(await scrape(), 200, { 'content-type': metrics.contentType }),
  );

  // RFC 9110 §15.5.6: a path that exists says which methods it allows.
  for (const path of PATHS)
    app.all(path, (c) =>
      c.json(problem(405, 'The method is not allowed here'), 405, {
        ...PROBLEM,
        allow: 'GET, HEAD',
      }),
    );
  app.notFound((c) => c.json(problem(404, `There is only ${PATHS.join(', ')}`), 404, PROBLEM));
  app.onError((fault, c) => {
    log.error('an operations request failed', { path: c.req.path, fault });
    return c.json(problem(500, 'Something went wrong inside the gate'), 500, PROBLEM);
  });
  return app;
}

const PROBLEM = { 'content-type': 'application/problem+json' } as const;

function problem(status: number, title: string) {
  return { type: 'about:blank', title, status };
}

/**
 * Who asks while the text is being made gets the same text: a crowd of scrapers costs as much as
 * one.
 */
function singleFlight(make: () => Promise<string>): () => Promise<string> {
  let underWay: Promise<string> | null = null;
  return () => {
    underWay ??= make().finally(() => {
      underWay = null;
    });
    return underWay;
  };
}
