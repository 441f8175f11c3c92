/** The peer hono-http-proxy-3: a gate as one would write it today from well-known libraries. */
import { readFileSync } from 'node:fs';
import { Agent, createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import { createProxyServer } from 'http-proxy-3';
import { createServiceGate } from './gate.ts';

const {
  BENCH_CERTIFICATE: certificateFile,
  BENCH_KEY: keyFile,
  BENCH_UPSTREAM: target,
} = process.env;
const gate = createServiceGate(Number(process.env.BENCH_REDIS_PORT));
const agent = new Agent({ keepAlive: true, maxSockets: 512, maxFreeSockets: 512 });
const proxy = createProxyServer({ ...(target === undefined ? {} : { target }), agent, xfwd: true });
proxy.on('error', (_error, _request, response) => {
  if ('writeHead' in response && !response.headersSent) response.writeHead(502).end();
  else response.destroy();
});

const app = new Hono<{ Bindings: HttpBindings }>();

app.on('ALL', ['/lifetimeapi/*', '/services/*'], async (context) => {
  const { incoming, outgoing } = context.env;
  const account = await gate.check(incoming.headers.authorization);
  if (account === null) {
    record(incoming.method, context.req.path, 'token-unknown', 401, null);
    return context.json({ status: 401, reason: 'token-unknown' }, 401, {
      'WWW-Authenticate': 'Bearer realm="bench"',
    });
  }
  const { method } = incoming;
  const { path } = context.req;
  outgoing.once('finish', () => record(method, path, 'permitted', outgoing.statusCode, account));
  delete incoming.headers.authorization;
  const headers = {
    'X-Account-Id': account.id,
    'X-Account-Name': account.name,
    'X-Account-Role': account.role,
    'X-Account-Teams': account.teams,
    'X-Request-Id': crypto.randomUUID(),
  };
  proxy.web(incoming, outgoing, { headers });
  return RESPONSE_ALREADY_SENT;
});

const server =
  certificateFile === undefined || keyFile === undefined
    ? createAdaptorServer({ fetch: app.fetch, createServer: createHttpServer })
    : createAdaptorServer({
        fetch: app.fetch,
        createServer: createHttpsServer,
        serverOptions: { cert: readFileSync(certificateFile), key: readFileSync(keyFile) },
      });
server.listen(Number(process.env.BENCH_PORT), '127.0.0.1', 4096);

function record(
  method: string | undefined,
  path: string,
  reason: string,
  status: number,
  account: object | null,
): void {
  gate.record({ time: Date.now(), account, reason, method, path, status });
}
