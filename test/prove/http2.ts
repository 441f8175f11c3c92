/**
 * `npm run prove -- http2 [REQUESTS]`: h2spec (RFC 9113 and 7541, case by case) against a gate,
 * over TLS and in the clear, where Go can build it; then what a request costs, in processor time,
 * by h2load through a gate and through an nginx beside it. Fails when a case does, or a request.
 */
import { fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accepts } from '../bench/peers/nginx.ts';
import { freePort } from '../support/free-port.ts';
import type { GatewayOptions } from '../support/gateway.ts';
import { findProgram, prepare } from '../support/system.ts';

const H2SPEC = 'github.com/summerwind/h2spec/cmd/h2spec@latest';
const REQUESTS = Number(process.argv[2] ?? 60_000);
const ROUNDS = 3;
/** The kernel's unit in /proc/PID/stat. */
const TICKS_PER_SECOND = 100;

prepare(['bench']);
const folder = mkdtempSync(join(tmpdir(), 'sallyport-http2-'));
const upstream = createServer((_request, response) => void response.end('x'.repeat(128)));
upstream.listen(0, '127.0.0.1');
await once(upstream, 'listening');
const address = `127.0.0.1:${(upstream.address() as AddressInfo).port}`;

try {
  const h2spec = built();
  if (h2spec === null) console.log('h2spec: skipped, there is no Go that could build it');
  else for (const tls of [true, false]) await conforms(h2spec, tls);
  await costs();
} finally {
  upstream.closeAllConnections();
  upstream.close();
  rmSync(folder, { recursive: true });
}

function built(): string | null {
  const go = findProgram('go');
  if (go === null) return null;
  const env = { ...process.env, GOBIN: folder };
  const { status } = spawnSync(go, ['install', H2SPEC], { env, stdio: 'inherit' });
  return status === 0 ? join(folder, 'h2spec') : null;
}

async function startGate(plaintext: boolean, path: string, guarantee: 'acknowledged' | 'buffered') {
  const options: GatewayOptions = {
    upstreams: { echo: { addresses: [`http://${address}`] } },
    guarantee,
    plaintext,
    http2: { enabled: true },
    routes: [{ name: 'all', path, access: 'public', upstream: 'echo' }],
  };
  const process = join(import.meta.dirname, '..', 'abuse', 'gate-process.ts');
  const child = fork(process, [JSON.stringify(options)], { execArgv: [] });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  const stop = async () => {
    const gone = once(child, 'exit');
    child.disconnect();
    await gone;
  };
  return { port, pids: [child.pid!], stop };
}

/** In the clear one case is answered in HTTP/1.1: what is no preface may be a request of that. */
async function conforms(h2spec: string, tls: boolean): Promise<void> {
  // Refusals wait for their record: h2spec expects that its next frame comes before a response.
  const gate = await startGate(!tls, '/', 'acknowledged');
  const how = tls ? ['-t', '-k'] : [];
  const words = ['-h', '127.0.0.1', '-p', String(gate.port), '--strict', '--timeout', '2', ...how];
  const { stdout } = await run(h2spec, words);
  await gate.stop();
  const [, passed, failed] = / (\d+) passed, \d+ skipped, (\d+) failed/.exec(stdout) ?? [];
  console.log(`h2spec ${tls ? 'over TLS' : 'in the clear'}: ${passed} passed, ${failed} failed`);
  const allowed = tls ? 0 : 1;
  if (Number(failed) <= allowed && passed !== undefined) return;
  console.log(stdout.slice(stdout.indexOf('Failures:')));
  process.exitCode = 1;
}

async function costs(): Promise<void> {
  const gate = await startGate(true, '/**', 'buffered');
  const nginx = await startNginx();
  const figures = { gate: [] as number[], nginx: [] as number[] };
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [name, { port, pids }] of Object.entries({ gate, nginx })) {
      const before = cpuSeconds(pids);
      const words = ['-n', String(REQUESTS), '-c', '16', '-m', '4', `http://127.0.0.1:${port}/a`];
      const { stdout } = await run('h2load', words);
      if (!stdout.includes(`${REQUESTS} succeeded`)) {
        console.log(stdout);
        process.exitCode = 1;
      }
      // The first round warms up.
      if (round > 0)
        figures[name as keyof typeof figures].push(((cpuSeconds(pids) - before) * 1e6) / REQUESTS);
    }
  }
  for (const [name, values] of Object.entries(figures))
    console.log(`${name}: ${values.map((value) => value.toFixed(1)).join(', ')} µs per request`);
  await gate.stop();
  await nginx.stop();
}

async function startNginx() {
  const port = await freePort();
  const file = join(folder, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr crit;
    events { worker_connections 1024; }
    http { access_log ${folder}/access.log; client_body_temp_path ${folder}; proxy_temp_path ${folder};
      fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
      upstream service { server ${address}; keepalive 64; }
      keepalive_requests 1000000;
      server { listen 127.0.0.1:${port} http2; location / { proxy_pass http://service;
        proxy_http_version 1.1; proxy_set_header Connection ""; } } }`,
  );
  const child = spawn(findProgram('nginx')!, ['-c', file, '-p', folder], { stdio: 'inherit' });
  while (!(await accepts(port))) await new Promise((resolve) => setTimeout(resolve, 50));
  const worker = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
  const stop = async () => {
    const gone = once(child, 'exit');
    child.kill();
    await gone;
  };
  return { port, pids: [child.pid!, ...worker.split(' ').map(Number)], stop };
}

async function run(command: string, words: readonly string[]): Promise<{ stdout: string }> {
  const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  await once(child, 'close');
  return { stdout };
}

/** utime and stime, counted behind the name in brackets, which may hold anything. */
function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }, 0);
}
