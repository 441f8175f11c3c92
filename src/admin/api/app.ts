import { Hono } from 'hono';
import { followRoute } from './activity-stream.ts';
import { DOCS_HEADERS, docsPage } from './docs-page.ts';
import { openApiDocument } from './openapi.ts';
import type { Operation } from './operation.ts';
import { FOUND_TOKENS, OPERATIONS } from './operations.ts';
import { type ApiEnv, type ApiParts, Requests } from './requests.ts';

/** Where the API is mounted. */
export const API_BASE = '/api/v1';

/**
 * Data for programs: nothing in it can run, be framed, be read from another origin, or be kept by a
 * cache.
 */
const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

/**
 * The API, with its base in all its paths. Every request takes the same way: see
 * `Requests.perform`.
 */
export function createApi(parts: ApiParts): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>().basePath(API_BASE);
  const operations = parts.found === null ? OPERATIONS : [...OPERATIONS, ...FOUND_TOKENS];
  const requests = new Requests(parts);
  const document = JSON.stringify(openApiDocument(operations, parts.version));

  app.use(async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(SECURITY_HEADERS))
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
  });
  app.get('/openapi.json', (c) => c.body(document, 200, { 'content-type': 'application/json' }));
  const page = docsPage(openApiDocument(operations, parts.version));
  app.get('/docs', (c) => c.body(page, 200, DOCS_HEADERS));
  app.get('/activity/stream', (c) => followRoute(c, parts, requests));
  for (const operation of operations) {
    app.on(operation.method.toUpperCase(), honoPath(operation.path), (c) =>
      requests.perform(c, operation),
    );
  }
  for (const [path, allow] of allowedMethods(operations))
    app.all(honoPath(path), (c) => requests.refuse(c, 'method-refused', { allow }));
  app.all('*', (c) => requests.refuse(c, 'route-unknown', {}));
  app.onError((fault, c) => requests.fault(c, fault));
  return app;
}

function honoPath(path: string): string {
  return path.replaceAll(/\{([a-z]+)\}/g, ':$1');
}

/** RFC 9110 §15.5.6: a path that exists says which methods it takes. */
function allowedMethods(operations: readonly Operation[]): ReadonlyMap<string, string> {
  const methods = new Map<string, string[]>([
    ['/openapi.json', ['GET', 'HEAD']],
    ['/docs', ['GET', 'HEAD']],
    ['/activity/stream', ['GET', 'HEAD']],
  ]);
  for (const { path, method } of operations) {
    const known = methods.get(path) ?? [];
    methods.set(path, [...known, method.toUpperCase(), ...(method === 'get' ? ['HEAD'] : [])]);
  }
  return new Map([...methods].map(([path, list]) => [path, list.join(', ')]));
}
