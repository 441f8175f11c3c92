/**
 * `npm run prove -- import [ACCOUNTS]`: how fast `sallyport registry import` brings accounts into
 * an embedded store and into a Redis that writes with fsync, by the command itself; all of them are
 * counted afterwards. With 100,000 accounts or more it writes the table into docs/SCALE.md.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeRecord, withVersion } from '../../src/registry/codec.ts';
import { cpuUsOf } from '../bench/processes.ts';
import { account } from '../contract/registry-records.ts';
import { redisMissing, startRedis } from '../support/redis-server.ts';
import { conditions, writeSection } from '../support/scale-document.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const DOCUMENTED = 100_000;
const size = Number(process.argv[2] ?? DOCUMENTED);
const folder = mkdtempSync(join(tmpdir(), 'sallyport-import-'));
const file = join(folder, 'registry.ndjson');
const rows: string[] = [];

await writeExport();
try {
  await measure('embedded', { kind: 'embedded' });
  const missing = redisMissing();
  if (missing === null) {
    const server = await startRedis();
    await measure('Redis', { kind: 'redis', url: server.url });
    await server.stop();
  } else console.log(`Redis: skipped, ${missing}`);
  const table = [
    conditions(`npm run prove -- import ${size}`, `${size} service accounts with a role`),
    '',
    '| store | took | accounts a second | processor time of the command, per account |',
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
  console.log(table);
  if (size >= DOCUMENTED && missing === null) writeSection('import', table);
} finally {
  rmSync(folder, { recursive: true });
}

async function writeExport(): Promise<void> {
  const out = createWriteStream(file, { mode: 0o600 });
  out.write('{"format":"sallyport-registry","version":1,"by":"proof"}\n');
  for (let n = 0; n < size; n += 1) {
    const text = withVersion(encodeRecord(account(n, { role: 'administrator' })), 1);
    if (!out.write(`${JSON.stringify({ kind: 'account', text })}\n`)) await once(out, 'drain');
  }
  out.end(`${JSON.stringify({ end: true, records: size })}\n`);
  await once(out, 'close');
}

async function measure(name: string, store: Readonly<Record<string, string>>): Promise<void> {
  const config = join(folder, `${name}.yaml`);
  const instance = { name: 'proof', dataDir: join(folder, name) };
  writeFileSync(config, JSON.stringify({ instance, store }));
  await run('registry', 'init', '--if-none', '--config', config);
  const beganMs = performance.now();
  const usedMs = await run('registry', 'import', file, '--yes', '--config', config);
  const tookMs = performance.now() - beganMs;
  await run('registry', 'verify', '--config', config);
  const cells = [
    name,
    `${(tookMs / 1e3).toFixed(0)} s`,
    ((size * 1e3) / tookMs).toFixed(0),
    `${((usedMs * 1e3) / size).toFixed(0)} µs`,
  ];
  rows.push(`| ${cells.join(' | ')} |`);
  console.log(rows.at(-1));
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
