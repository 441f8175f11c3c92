import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { startFleet } from '../support/fleet.ts';
import { startGateway } from '../support/gateway.ts';
import { redisMissing } from '../support/redis-server.ts';

vi.setConfig({ testTimeout: 120_000 });
const LIMIT = { timeout: 30_000, interval: 50 };

interface Line {
  readonly path: string;
  readonly status: number;
  readonly account: string;
}

it('has a line for each call, of all workers, and goes on in a new file on SIGUSR2', async (ctx) => {
  const missing = redisMissing();
  if (missing !== null) ctx.skip(missing);
  const keys = { log: { access: { path: 'access.log' } } };
  const fleet = await startFleet(2, null, {}, keys);
  onTestFinished(() => fleet.stop());
  const path = join(fleet.folder, 'access.log');
  const former = `${path}.1`;
  const lines = (file: string): readonly Line[] =>
    readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  const workers = new Set<string>();
  let calls = 0;
  for (; workers.size < 2 && calls < 200; calls += 1)
    workers.add((await fleet.call({ path: `/all/${calls}?secret=${calls}` })).worker);
  await vi.waitFor(() => expect(lines(path)).toHaveLength(calls), LIMIT);
  expect(lines(path)[0]).toMatchObject({ path: '/all/0', status: 200, account: 'caller' });
  expect(readFileSync(path, 'utf8')).not.toContain('secret');
  expect(workers.size).toBe(2);

  renameSync(path, former);
  fleet.process.kill('SIGUSR2');
  await vi.waitFor(
    () => expect(fleet.log().match(/the access log was opened anew/g)).toHaveLength(2),
    LIMIT,
  );
  for (let more = 0; more < 10; more += 1) await fleet.call({ path: `/none/${more}` });
  await vi.waitFor(() => expect(lines(path)).toHaveLength(10), LIMIT);
  expect(lines(path).every(({ status }) => status === 404)).toBe(true);
  expect(lines(former)).toHaveLength(calls);
});

it('has a line for each request to the admin listener, as it has for calls', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-access-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'access.log');
  const gate = await startGateway({
    upstreams: { api: { addresses: ['http://127.0.0.1:9'] } },
    admin: {},
    config: { log: { access: { path } } },
  });
  onTestFinished(() => gate.stop());
  const { token } = await gate.createAccount({ name: 'ada', role: 'administrator' });
  const { port } = gate.gateway.addresses.admin!;
  const ask = (target: string, headers: Readonly<Record<string, string>>) =>
    new Promise<void>((resolve, reject) => {
      const options = { host: 'localhost', port, ca: readFileSync(gate.caFile), agent: false };
      const sent = request({ ...options, path: target, headers }, (response) =>
        response.resume().once('end', () => resolve()),
      );
      sent.once('error', reject).end();
    });
  await ask('/api/v1/roles?limit=5', { authorization: `Bearer ${token}` });
  await ask('/api/v1/roles', {});
  await ask('/sign-in', {});
  await ask('/api/v1/nowhere', { authorization: `Bearer ${token}` });
  await gate.gateway.close();
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  expect(lines.join()).not.toContain(token);
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { door: 'admin', path: '/api/v1/roles', status: 200, account: 'ada', reason: 'permitted' },
    { door: 'admin', path: '/api/v1/roles', status: 401, account: null, reason: 'token-missing' },
    { door: 'admin', path: '/sign-in', status: 200 },
    { door: 'admin', path: '/api/v1/nowhere', status: 404, reason: 'route-unknown' },
  ]);
});
