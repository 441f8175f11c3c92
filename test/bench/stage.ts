import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus as allProcessors, tmpdir } from 'node:os';
import { join } from 'node:path';
import { newToken } from '../../src/account/token.ts';
import { auditKeys } from '../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { ensureLocalCertificate } from '../../src/tls/local-ca.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { type Caller, createCallers, KEY_PREFIX, type Population } from './callers.ts';
import { type Processors, pin, processors } from './processors.ts';
import { startUpstream, type UpstreamServer } from './upstream.ts';

/**
 * What stands around every peer, the same for all: Redis with its accounts, the upstream, a
 * certificate, the processors.
 */
export interface Stage {
  readonly directory: string;
  readonly cpus: Processors;
  readonly certificate: { readonly certificateFile: string; readonly keyFile: string };
  readonly upstream: UpstreamServer;
  readonly redisPort: number;
  readonly redis: RedisConnection;
  /** Where calls are recorded. */
  readonly streams: readonly string[];
  /** Accounts in the registry. */
  readonly accounts: number;
  /** Folder of another checkout of this project. */
  readonly beside: string | null;
  /** Those whose tokens the clients use. */
  readonly callers: readonly Caller[];
  /**
   * What is said in `Authorization` with a token that is well formed, names an account that there
   * is, and was never issued.
   */
  readonly forged: string;
  /** A folder of one's own. */
  folder(name: string): string;
  /** Writes a file into such a folder. @returns its path */
  file(folder: string, name: string, text: string): string;
  close(): Promise<void>;
}

export async function openStage(options: Population, beside: string | null): Promise<Stage> {
  const cpus = processors(allProcessors().length);
  pin(process.pid, cpus.load);
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  // Also when it is interrupted.
  process.once('exit', remove);
  const closers: (() => Promise<void>)[] = [async () => remove()];
  const close = async () => {
    for (const closer of closers.reverse()) await closer();
  };
  try {
    const server: RedisServer = await startRedis();
    closers.push(() => server.stop());
    pin(server.pid, cpus.load);
    const redis = connectRedis({
      url: server.url,
      username: null,
      password: null,
      tls: null,
      name: 'bench',
      commandTimeoutMs: 30_000,
    });
    closers.push(async () => redis.close());
    const upstream = await startUpstream(join(directory, 'upstream'), cpus.load);
    closers.push(() => upstream.stop());
    const callers = await createCallers(server.url, redis, directory, options);
    return {
      directory,
      cpus,
      certificate: await certificateIn(directory),
      upstream,
      redisPort: server.port,
      redis,
      streams: ['bench:stream', ...[0, 1, 2, 3].map((n) => auditKeys(KEY_PREFIX).stream(n))],
      accounts: options.accounts,
      beside,
      callers,
      forged: `Bearer ${newToken(callers[0]!.id)}`,
      folder: (name) => folder(join(directory, name)),
      file: (at, name, text) => file(join(at, name), text),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** ECDSA on P-256, self-issued, the same files for all. */
async function certificateIn(directory: string): Promise<Stage['certificate']> {
  const { certificateFile, keyFile } = await ensureLocalCertificate(directory, Date.now());
  return { certificateFile, keyFile };
}

function folder(path: string): string {
  mkdirSync(path, { recursive: true });
  return path;
}

function file(path: string, text: string): string {
  writeFileSync(path, text);
  return path;
}
