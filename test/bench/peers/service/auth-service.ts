/**
 * The small service that nginx (`auth_request`) and Caddy (`forward_auth`) ask: 204 with the
 * caller's name, or 401. Records what it decided.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Account, createServiceGate } from './gate.ts';

const gate = createServiceGate(Number(process.env.BENCH_REDIS_PORT));

const server = createServer((request, response) => {
  const account = gate.check(request.headers.authorization);
  if (!(account instanceof Promise)) answer(request, response, account);
  else
    account.then(
      (late) => answer(request, response, late),
      () => response.writeHead(503).end(),
    );
});
server.keepAliveTimeout = 3_600_000;
server.listen(Number(process.env.BENCH_PORT), '127.0.0.1', 4096);

function answer(
  { headers }: IncomingMessage,
  response: ServerResponse,
  account: Account | null,
): void {
  gate.record({
    time: Date.now(),
    account,
    reason: account === null ? 'token-unknown' : 'permitted',
    method: headers['x-forwarded-method'],
    path: headers['x-forwarded-uri'],
    clientAddress: headers['x-forwarded-for'],
    userAgent: headers['user-agent'],
  });
  if (account === null) {
    response.writeHead(401, { 'WWW-Authenticate': 'Bearer realm="bench"' }).end();
    return;
  }
  const { id, name, role, teams } = account;
  response
    .writeHead(204, {
      'X-Account-Id': id,
      'X-Account-Name': name,
      'X-Account-Role': role,
      'X-Account-Teams': teams,
    })
    .end();
}
