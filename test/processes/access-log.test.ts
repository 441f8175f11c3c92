import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { startFleet } from '../support/fleet.ts';
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
