/**
 * `npm run prove -- import [ACCOUNTS]`: how fast `sallyport registry import` brings accounts into
 * an embedded store and into a Redis that writes with fsync, and `registry export` out of them, by
 * the commands themselves. What comes out must be what went in. With 100,000 accounts or more it
 * writes the table into docs/SCALE.md.
 */
import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Account } from '../../src/account/model.ts';
import { importedAccount, type TransferredRecord } from '../../src/admin/transferred.ts';
import { encodeRecord, withVersion } from '../../src/registry/codec.ts';
import { connectRedis } from '../../src/store/redis.ts';
import { cpuUsOf } from '../bench/processes.ts';
import { account, role, team } from '../contract/registry-records.ts';
import { redisMissing, startRedis } from '../support/redis-server.ts';
import { conditions, writeSection } from '../support/scale-document.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const DOCUMENTED = 100_000;
const size = Number(process.argv[2] ?? DOCUMENTED);
const folder = mkdtempSync(join(tmpdir(), 'sallyport-import-'));
const file = join(folder, 'registry.ndjson');
const rows: string[] = [];
let longestScriptMs = 0;

await writeExport();
try {
  await measure('embedded', { kind: 'embedded' });
  const missing = redisMissing();
  if (missing === null) {
    const server = await startRedis();
    await measure('Redis', { kind: 'redis', url: server.url });
    longestScriptMs = await longestMs(server.url);
    await server.stop();
  } else console.log(`Redis: skipped, ${missing}`);
  const table = [
    conditions(
      `npm run prove -- import ${size}`,
      `${size} service accounts with a role and a team, their names in no order`,
    ),
    '',
    '| store | import took | accounts a second | processor, per account | export took | accounts a second | processor, per account |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    `Redis' longest script took ${longestScriptMs.toFixed(1)} ms.`,
  ].join('\n');
  console.log(table);
  if (size >= DOCUMENTED && missing === null) writeSection('import', table);
} finally {
  rmSync(folder, { recursive: true });
}

async function writeExport(): Promise<void> {
  const out = createWriteStream(file, { mode: 0o600 });
  out.write('{"format":"sallyport-registry","version":1,"by":"proof"}\n');
  for (const [kind, record] of [
    ['role', role('runner')],
    ['team', team('runners', ['CRM'])],
  ] as const)
    out.write(`${JSON.stringify({ kind, text: withVersion(encodeRecord(record), 1) })}\n`);
  for (let n = 0; n < size; n += 1) {
    const line = JSON.stringify({ kind: 'account', text: withVersion(encodeRecord(made(n)), 1) });
    if (!out.write(`${line}\n`)) await once(out, 'drain');
  }
  out.end(`${JSON.stringify({ end: true, records: size + 2 })}\n`);
  await once(out, 'close');
}

function made(n: number): Account {
  const mixed = (Math.imul(n + 1, 2_654_435_761) >>> 0).toString(16).padStart(8, '0');
  return account(n, {
    name: `${mixed}-runner-${n}`,
    role: 'runner',
    teams: [{ team: 'runners', role: 'runner' }],
    token: { digest: hash('sha256', mixed, 'hex'), createdAt: '2026-01-01T00:00:00.000Z' },
  });
}

/** The accounts of a file, without the version that each store gives anew. */
function accountsIn(path: string): readonly string[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.flatMap((line) => {
    const { kind, text } = JSON.parse(line === '' ? '{}' : line) as Partial<TransferredRecord>;
    return kind === 'account' ? [encodeRecord(importedAccount(text ?? ''))] : [];
  });
}

/** By Redis' own clock. */
async function longestMs(url: string): Promise<number> {
  const whole = { username: null, password: null, tls: null };
  const redis = connectRedis({ ...whole, url, name: 'proof', commandTimeoutMs: 30_000 });
  const entries = (await redis.callAt('x', 'SLOWLOG', 'GET', '1000')) as unknown[][];
  redis.close();
  return Math.max(0, ...entries.map((entry) => Number(entry[2]))) / 1e3;
}

async function measure(name: string, store: Readonly<Record<string, string>>): Promise<void> {
  const config = join(folder, `${name}.yaml`);
  const instance = { name: 'proof', dataDir: join(folder, name) };
  writeFileSync(config, JSON.stringify({ instance, store }));
  await run('registry', 'init', '--if-none', '--config', config);
  const came = await timed('registry', 'import', file, '--yes', '--config', config);
  await run('registry', 'verify', '--config', config);
  const back = join(folder, `${name}.ndjson`);
  const went = await timed('registry', 'export', back, '--config', config);
  if (accountsIn(back).join('\n') !== accountsIn(file).join('\n'))
    throw new Error(`${name}: what was exported is not what was imported`);
  const cells = [name, ...came, ...went];
  rows.push(`| ${cells.join(' | ')} |`);
  console.log(rows.at(-1));
}

async function timed(...words: readonly string[]): Promise<readonly string[]> {
  const beganMs = performance.now();
  const usedMs = await run(...words);
  const tookMs = performance.now() - beganMs;
  return [
    `${(tookMs / 1e3).toFixed(1)} s`,
    ((size * 1e3) / tookMs).toFixed(0),
    `${((usedMs * 1e3) / size).toFixed(0)} µs`,
  ];
}

/** Answers the processor time that it took, in milliseconds. */
async function run(...words: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [MAIN, ...words], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  let said = '';
  let usedMs = 0;
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4_000);
  });
  const looking = setInterval(() => {
    usedMs = Math.max(usedMs, cpuUsOf([child.pid ?? 0]) / 1e3);
  }, 200);
  const [code] = (await once(child, 'close')) as [number | null];
  clearInterval(looking);
  if (code !== 0) throw new Error(`${words.join(' ')}: ${code} ${said}`);
  return usedMs;
}
