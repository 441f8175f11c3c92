import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { ensureLocalCertificate } from '../../../src/tls/local-ca.ts';
import { redisMissing, startRedis } from '../../support/redis-server.ts';
import type { Opening } from './opening-process.ts';

const PROCESS = fileURLToPath(new URL('./opening-process.ts', import.meta.url));

interface Folder {
  readonly dataDir: string;
  /** A configuration with every part that a gate can have. */
  configure(keys?: Readonly<Record<string, unknown>>): string;
}

async function makeFolder(): Promise<Folder> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-opening-'));
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  writeFileSync(join(dataDir, 'client-secret'), 'shared with nobody', { mode: 0o600 });
  await ensureLocalCertificate(dataDir, Date.now());
  const certificates = [{ certificateFile: 'tls.crt', keyFile: 'tls.key' }];
  const any = '127.0.0.1:0';
  const configure = (keys: Readonly<Record<string, unknown>> = {}) => {
    const file = join(dataDir, 'sallyport.yaml');
    const config = {
      instance: { name: 'opening', dataDir },
      listen: {
        proxy: { address: any, tls: { certificates } },
        admin: { address: any, tls: { certificates } },
        ops: { address: any },
      },
      identity: {
        issuer: 'https://localhost:1/',
        clientId: 'sallyport',
        clientSecretFile: 'client-secret',
        roles: { all: 'viewer' },
      },
      store: { kind: 'embedded' },
      upstreams: { orders: { addresses: ['http://127.0.0.1:1'], healthCheck: { path: '/' } } },
      routes: [{ name: 'public', path: '/**', access: 'public', upstream: 'orders' }],
      ...keys,
    };
    writeFileSync(file, JSON.stringify(config));
    return file;
  };
  return { dataDir, configure };
}

/** @param how `steps`: each step fails in turn; `whole`: something fails by itself */
async function openings(file: string, how: 'steps' | 'whole'): Promise<readonly Opening[]> {
  const child = spawn(process.execPath, [PROCESS, file, how], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = (await text(child.stdout)).trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Opening);
}

/** As many parts as a gate surely has: fewer would mean that steps are not seen. */
const PARTS = 15;

function expectNothingLeft(all: readonly Opening[]): void {
  expect(all.filter(({ left }) => left.length > 0)).toEqual([]);
  const failed = all.slice(0, -1);
  expect(failed.length).toBeGreaterThan(PARTS);
  expect(new Set(failed.map(({ why }) => why))).toEqual(new Set(['a step failed']));
  expect(all.at(-1)).toEqual({ parts: null, why: null, left: [] });
}

it('leaves no file, socket, thread or timer open, whichever step of opening fails', async () => {
  const { dataDir, configure } = await makeFolder();
  expectNothingLeft(await openings(configure(), 'steps'));
  expect(readdirSync(dataDir).filter((name) => name.endsWith('.sock'))).toEqual([]);
});

it('nor with Redis', async (ctx) => {
  const missing = redisMissing();
  if (missing !== null) ctx.skip(missing);
  const { configure } = await makeFolder();
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const store = { kind: 'redis', url: redis.url };
  expectNothingLeft(await openings(configure({ store }), 'steps'));
});

it.each(['audit.db', 'stats.db'])(
  'closes what it opened before %s could not be opened, and says why',
  async (name) => {
    const { dataDir, configure } = await makeFolder();
    mkdirSync(join(dataDir, name));
    const [opening] = await openings(configure(), 'whole');
    expect(opening).toMatchObject({ why: expect.stringMatching(/./), left: [] });
    expect(opening!.parts).not.toBeNull();
  },
);

it.each(['proxy', 'admin'] as const)(
  'closes what it opened before the port of %s could not be opened, and says why',
  async (door) => {
    const { dataDir, configure } = await makeFolder();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void taken.close());
    const { port } = taken.address() as { port: number };
    const certificates = [{ certificateFile: 'tls.crt', keyFile: 'tls.key' }];
    const at = (name: string) => `127.0.0.1:${name === door ? port : 0}`;
    const listen = {
      proxy: { address: at('proxy'), tls: { certificates } },
      admin: { address: at('admin'), tls: { certificates } },
      ops: { address: at('ops') },
    };
    const [opening] = await openings(configure({ listen }), 'whole');
    expect(opening).toMatchObject({
      why: expect.stringMatching(/EADDRINUSE|listens there already/),
      left: [],
    });
    expect(readdirSync(dataDir).filter((name) => name.endsWith('.sock'))).toEqual([]);
  },
);
