import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Fleet, type Seen, startFleet } from '../../support/fleet.ts';
import { Asker, ENDPOINTS } from '../../support/questions.ts';
import { connectRaw, type RawClient } from '../../support/raw-client.ts';
import { redisMissing } from '../../support/redis-server.ts';

const missing = redisMissing();
const LIMIT_MS = 50_000;

describe('two workers on one port', () => {
  let fleet: Fleet;
  /** Calls that were answered with 200 in this file. */
  let answered = 0;
  const counted = async (options?: Parameters<Fleet['call']>[0]): Promise<Seen> => {
    const seen = await fleet.call(options);
    if (seen.status === 200) answered += 1;
    return seen;
  };

  beforeAll(async () => {
    if (missing === null) fleet = await startFleet();
  }, 60_000);
  afterAll(async () => fleet?.stop());

  it('both answer, each as an instance of its own, behind one readiness', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    const workers = new Set<string>();
    for (let calls = 0; calls < 200 && workers.size < 2; calls += 1)
      workers.add((await counted()).worker);
    expect(workers.size).toBe(2);
    const { ready, checks } = JSON.parse(await fleet.ops('/readyz')) as {
      ready: boolean;
      checks: { name: string; state: string }[];
    };
    expect(ready).toBe(true);
    expect(checks.map(({ name, state }) => `${name} ${state}`)).toEqual([
      'draining ok',
      'workers ok',
      'worker-1 ok',
      'worker-2 ok',
      'config ok',
    ]);
  });

  it('accept the tickets of each other', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    const first = await counted();
    expect(first).toMatchObject({ resumed: false, session: expect.any(Buffer) });
    const workers = new Set<string>();
    for (let calls = 0; calls < 200 && workers.size < 2; calls += 1) {
      const { worker, resumed } = await counted({ session: first.session! });
      expect(resumed).toBe(true);
      workers.add(worker);
    }
    expect(workers.size).toBe(2);
  });

  it('both decide for proxies that ask, on another port that they share', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    const workers = new Set<string>();
    const fields = [`Authorization: Bearer ${fleet.token}`];
    const question = ENDPOINTS['/auth-request']!({ method: 'GET', target: '/all/x', fields });
    for (let asked = 0; asked < 200 && workers.size < 2; asked += 1) {
      const asker = await Asker.open(fleet.decisionPort);
      const told = await asker.ask(question);
      asker.close();
      expect(told.status).toBe(200);
      answered += 1;
      workers.add(told.field('x-request-id')!.split('-')[0]!);
    }
    expect(workers.size).toBe(2);
  });

  it('have metrics that are sums', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    await expect.poll(async () => requestsIn(await fleet.ops('/metrics'))).toBe(answered);
    expect(await fleet.ops('/metrics')).toMatch(/^sallyport_workers_serving 2$/m);
  });

  it('have their port to themselves: who starts the same again is told so', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    expect(await fleet.again()).toMatchObject({
      code: 2,
      log: expect.stringContaining('another process listens there already'),
    });
  });

  it('are ended again when their supervisor cannot open its own port, and it says why', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    // Resolves once nobody writes to the log any more: workers write to that of their supervisor.
    const { code, log } = await fleet.again('another port');
    expect(code).toBe(2);
    expect(log).toContain('listen.ops: cannot listen');
    expect(log.match(/"msg":"the gate is closed"/g)).toHaveLength(2);
  });

  it('take over a changed file, all of them, and none a bad one', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    expect(await counted({ path: '/more/x' })).toMatchObject({ status: 404 });
    fleet.writeConfig(['all', 'more']);
    const workers = new Set<string>();
    await vi.waitFor(async () => {
      const seen = await counted({ path: '/more/x' });
      if (seen.status === 200) workers.add(seen.worker);
      expect(workers.size).toBe(2);
    }, LIMIT_MS);
    fleet.writeText('{ "routes": [{ "name": ');
    await vi.waitFor(
      async () => expect(await fleet.ops('/readyz')).toMatch(/"name":"config","state":"warning"/),
      LIMIT_MS,
    );
    for (let calls = 0; calls < 20; calls += 1)
      expect(await counted({ path: '/more/x' })).toMatchObject({ status: 200 });
  });

  it('say behind their one readiness which secrets they have not taken over', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-secret-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, 'wrong', { mode: 0o600 });
    const said = (text: RegExp) =>
      vi.waitFor(async () => expect(await fleet.ops('/readyz')).toMatch(text), LIMIT_MS);
    fleet.writeConfig(['all', 'more'], { username: 'nobody', passwordFile });
    await said(/^\{"ready":true.*"worker-2","state":"warning","why":"store\.username.*WRONGPASS/);
    expect(await counted()).toMatchObject({ status: 200 });
    fleet.writeConfig(['all', 'more']);
    await said(/"worker-1","state":"ok"\},\{"name":"worker-2","state":"ok"/);
  });

  it('lose one to kill -9: the other does not lose a request, and a new one is there soon', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    const agents: Agent[] = [];
    const first: Seen[] = [];
    const before = new Set<string>();
    // Connections are dealt out by chance, so some more may be needed until both workers have some.
    while (agents.length < 12 || (before.size < 2 && agents.length < 100)) {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const seen = await counted({ agent });
      agents.push(agent);
      first.push(seen);
      before.add(seen.worker);
    }
    expect(before.size).toBe(2);
    const metricsBefore = requestsIn(await fleet.ops('/metrics'));
    const failed: string[] = [];
    let going = true;
    const loads = agents.map(async (agent, index) => {
      while (going) {
        try {
          await counted({ agent });
        } catch {
          failed.push(first[index]!.worker);
          return;
        }
      }
    });
    const pids = fleet.workerPids();
    process.kill(pids[0]!, 'SIGKILL');
    await vi.waitFor(() => expect(failed.length).toBeGreaterThan(0), LIMIT_MS);
    // The dead one's connections are gone, and its port with it: whoever comes now is served.
    for (let calls = 0; calls < 20; calls += 1)
      expect(await counted()).toMatchObject({ status: 200 });
    await vi.waitFor(() => {
      expect(fleet.workerPids()).toHaveLength(2);
      expect(fleet.workerPids()).not.toContain(pids[0]);
    }, LIMIT_MS);
    await vi.waitFor(
      async () => expect(await fleet.ops('/metrics')).toMatch(/^sallyport_workers_serving 2$/m),
      LIMIT_MS,
    );
    await vi.waitFor(async () => expect(before).not.toContain((await counted()).worker), {
      timeout: LIMIT_MS,
      interval: 1,
    });
    going = false;
    await Promise.all(loads);
    for (const agent of agents) agent.destroy();
    expect(new Set(failed).size).toBe(1);
    expect(failed).toHaveLength(first.filter(({ worker }) => worker === failed[0]).length);
    const after = await fleet.ops('/metrics');
    expect(requestsIn(after)).toBeGreaterThan(metricsBefore);
    expect(after).toMatch(/^sallyport_worker_deaths_total 1$/m);
    expect(after).toMatch(/^sallyport_worker_restarts_total 1$/m);
    expect(after).toMatch(/^sallyport_ready\{check="(workers|registry)"\} 1$/m);
    // The file on disk is still the bad one: the new worker began with the last good one.
    for (let calls = 0; calls < 20; calls += 1)
      expect(await counted({ path: '/more/x' })).toMatchObject({ status: 200 });
  });

  it('resume with the new one too, which was handed the keys', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    const { session } = await counted();
    for (let calls = 0; calls < 20; calls += 1)
      expect(await counted({ session: session! })).toMatchObject({ resumed: true });
  });

  it('show one that has stopped answering, and take it back when it goes on', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    const [pid] = fleet.workerPids();
    process.kill(pid!, 'SIGSTOP');
    await vi.waitFor(
      async () =>
        expect(await fleet.ops('/readyz')).toContain('"state":"warning","why":"does not answer"'),
      LIMIT_MS,
    );
    expect(JSON.parse(await fleet.ops('/readyz'))).toMatchObject({ ready: true });
    process.kill(pid!, 'SIGCONT');
    await vi.waitFor(
      async () => expect(await fleet.ops('/readyz')).not.toContain('does not answer'),
      LIMIT_MS,
    );
    expect(fleet.workerPids()).toContain(pid);
  });

  it('drain together when the supervisor is asked to stop, and leave nobody behind', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    const pids = fleet.workerPids();
    fleet.process.kill('SIGTERM');
    // With its last words: when it has exited, they may not have been read yet.
    const [code] = (await once(fleet.process, 'close')) as [number | null];
    expect(code).toBe(0);
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expect(fleet.log().match(/"msg":"the gate is closed"/g)).toHaveLength(2);
  });
});

it('end when their supervisor is killed: nobody serves who cannot be told to stop', async (ctx) => {
  if (missing !== null) ctx.skip(missing);
  const fleet = await startFleet();
  onTestFinished(() => fleet.stop());
  const pids = fleet.workerPids();
  expect(pids).toHaveLength(2);
  fleet.process.kill('SIGKILL');
  for (const pid of pids)
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), LIMIT_MS);
});

it('let one address have its places once, and not once each', async (ctx) => {
  if (missing !== null) ctx.skip(missing);
  const fleet = await startFleet(2, null, { connectionsPerAddress: 10, headTimeoutMs: 600_000 });
  onTestFinished(() => fleet.stop());
  const silent: RawClient[] = [];
  onTestFinished(() => {
    for (const client of silent) client.close();
  });
  for (let n = 0; n < 60; n += 1) silent.push(await connectRaw({ port: fleet.port }));
  // Each of the 60 takes a place, or that of another one.
  const open = () => silent.filter(({ closed }) => closed === 'open').length;
  await vi.waitFor(() => expect(open()).toBeLessThanOrEqual(10), LIMIT_MS);
  expect(open()).toBeGreaterThan(5);
});

function requestsIn(metrics: string): number {
  const lines = [
    ...metrics.matchAll(/^sallyport_requests_total\{.*status_class="2xx".*\} (\d+)$/gm),
  ];
  return lines.reduce((sum, [, count]) => sum + Number(count), 0);
}
