import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { AccessFacts, AccessMeasure } from '../../../../src/telemetry/access/line.ts';
import { AccessLogFault, openAccessLog } from '../../../../src/telemetry/access/log.ts';
import type { Output } from '../../../../src/telemetry/access/output.ts';
import { createLog } from '../../../../src/telemetry/log.ts';

const MODULE = new URL('../../../../src/telemetry/access/log.ts', import.meta.url).href;
const TOKEN = `slp_a1B2c3D4e5F6_${'s3CrEt'.repeat(8)}x`;
const NOW = Date.UTC(2026, 10, 9, 6, 7, 8, 9);

const FACTS: AccessFacts = {
  id: 'request-1',
  traceId: null,
  clientAddress: '192.0.2.7',
  method: 'POST',
  path: '/deployments',
  door: null,
  version: '1.1',
  userAgent: 'curl/8',
  upstreamStatus: 201,
};
const MEASURE: AccessMeasure = {
  route: { name: 'deploy' },
  status: 201,
  reason: 'permitted',
  durationMs: 12.34567,
  overheadMs: 0.4,
  upstreamMs: 11.9,
  requestBytes: 10,
  responseBytes: 20,
  account: 'ci',
};

/** What has been written; `hold` keeps writes from ending, `fault` makes them fail. */
function stage(options: { format?: 'json' | 'combined'; sample?: number } = {}) {
  const written: string[] = [];
  const said: string[] = [];
  const state = { fault: null as Error | null, held: null as (() => void)[] | null };
  const output: Output = {
    write(text, done) {
      written.push(String(text));
      const end = () => done(state.fault);
      if (state.held === null) setImmediate(end);
      else state.held.push(end);
    },
    reopen: () => {},
    close: () => {},
  };
  const log = openAccessLog({
    format: 'json',
    path: null,
    sample: 1,
    ...options,
    output,
    clock: { wallMs: () => NOW, monotonicMs: () => 0 },
    log: createLog({ format: 'json', write: (line) => void said.push(JSON.parse(line).msg) }),
  });
  return { log, state, said, lines: () => written.join('').split('\n').slice(0, -1) };
}

it('writes one JSON object for each call, and all that waits when it closes', async () => {
  const { log, lines } = stage();
  log.write(FACTS, MEASURE);
  log.write({ ...FACTS, method: null, path: null, version: null }, { ...MEASURE, route: null });
  expect(lines()).toEqual([]);
  await log.close();
  expect(lines().map((line) => JSON.parse(line))).toMatchObject([
    {
      time: '2026-11-09T06:07:08.009Z',
      requestId: 'request-1',
      clientAddress: '192.0.2.7',
      door: 'http1',
      account: 'ci',
      method: 'POST',
      path: '/deployments',
      route: 'deploy',
      status: 201,
      durationMs: 12.346,
      responseBytes: 20,
    },
    { method: null, path: null, route: null },
  ]);
});

it('writes what readers of the combined format expect', async () => {
  const { log, lines } = stage({ format: 'combined' });
  log.write(FACTS, MEASURE);
  log.write(
    { ...FACTS, version: '2', clientAddress: null, userAgent: null },
    { ...MEASURE, status: 0, account: null },
  );
  await log.close();
  expect(lines()).toEqual([
    '192.0.2.7 - ci [09/Nov/2026:06:07:08 +0000] "POST /deployments HTTP/1.1" 201 20 "-" "curl/8"',
    '- - - [09/Nov/2026:06:07:08 +0000] "POST /deployments HTTP/2.0" - 20 "-" "-"',
  ]);
});

it.each(['json', 'combined'] as const)(
  'shows no token, and nothing that a client sends ends a line or a quotation: %s',
  async (format) => {
    const { log, lines } = stage({ format });
    const userAgent = `a" 200 0 "-\r\n198.51.100.1 - root "GET / HTTP/1.1\u0085${TOKEN}`;
    log.write({ ...FACTS, path: `/x/${TOKEN}/"`, userAgent }, MEASURE);
    await log.close();
    expect(lines()).toHaveLength(1);
    expect(lines()[0]).not.toContain('s3CrEt');
    if (format === 'json') expect(JSON.parse(lines()[0]!).userAgent).toContain('a" 200');
    else expect(lines()[0]!.match(/"/g)).toHaveLength(6);
  },
);

it('leaves out a share of the calls that went well, and none of the others', async () => {
  const { log, lines } = stage({ sample: 0 });
  log.write(FACTS, MEASURE);
  log.write(FACTS, { ...MEASURE, status: 404 });
  log.write(FACTS, { ...MEASURE, status: 200, reason: 'client-aborted' });
  await log.close();
  expect(lines().map((line) => JSON.parse(line).status)).toEqual([404, 200]);
});

it('drops lines where nothing takes them, and says how many', async () => {
  const { log, state, said, lines } = stage();
  state.held = [];
  const long = { ...FACTS, path: `/${'x'.repeat(1_000_000)}` };
  log.write(FACTS, MEASURE);
  await vi.waitFor(() => expect(state.held).toHaveLength(1));
  for (let calls = 0; calls < 9; calls += 1) log.write(long, MEASURE);
  const [end] = state.held;
  state.held = null;
  end!();
  await log.close();
  expect(lines()).toHaveLength(1 + 5);
  expect(said).toEqual(['lines of the access log were dropped, because nothing took them']);
});

it('says once that it cannot be written, and goes on when it can', async () => {
  const { log, state, said, lines } = stage();
  state.fault = new Error('no space');
  for (let calls = 1; calls < 4; calls += 1) {
    log.write(FACTS, MEASURE);
    await vi.waitFor(() => expect(lines()).toHaveLength(calls));
    if (calls === 2) state.fault = null;
  }
  await log.close();
  expect(said).toEqual(['the access log cannot be written: its lines are lost']);
});

it('goes on in a new file when the former one was moved, and loses no line', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-access-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'access.log');
  const options = {
    format: 'json',
    path,
    sample: 1,
    clock: { wallMs: () => NOW, monotonicMs: () => 0 },
    log: createLog({ write: () => {} }),
  } as const;
  const log = openAccessLog(options);
  log.write(FACTS, MEASURE);
  await vi.waitFor(() => expect(readFileSync(path, 'utf8')).toContain('request-1'));
  renameSync(path, `${path}.1`);
  log.reopen();
  log.write({ ...FACTS, id: 'request-2' }, MEASURE);
  await log.close();
  expect(readFileSync(`${path}.1`, 'utf8')).not.toContain('request-2');
  expect(readFileSync(path, 'utf8')).toContain('request-2');
  expect(statSync(path).mode & 0o007, 'for others to read').toBe(0);
  const nowhere = { ...options, path: join(folder, 'no', 'access.log') };
  expect(() => openAccessLog(nowhere)).toThrow(AccessLogFault);
  const pipe = { ...options, path: join(folder, 'pipe') };
  execFileSync('mkfifo', [pipe.path]);
  expect(() => openAccessLog(pipe)).toThrow(/^log\.access\.path: .* is a pipe .*: name a file/);
  expect(() => openAccessLog(nowhere)).toThrow(/^log\.access\.path: .*\(ENOENT\): make its folder/);
});

it('waits for nobody who stands still at standard output', async () => {
  const program = `
    import { openAccessLog } from ${JSON.stringify(MODULE)};
    const none = () => {};
    const log = { debug: none, info: none, warn: none, error: none };
    const clock = { wallMs: () => 0, monotonicMs: () => 0 };
    const access = openAccessLog({ format: 'json', path: null, sample: 1, clock, log });
    const facts = { id: 'x'.repeat(1000), method: null, path: null, userAgent: null };
    for (let i = 0; i < 4000; i += 1) access.write(facts, { durationMs: 1, overheadMs: 1, upstreamMs: null });
    await access.close();
    console.error('done');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Nothing reads its standard output.
  const [said] = await once(child.stderr, 'data');
  expect(String(said)).toBe('done\n');
  expect(await once(child, 'exit')).toEqual([0, null]);
  child.stdout.destroy();
});
