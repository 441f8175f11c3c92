import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it, onTestFinished, vi } from 'vitest';
import { asAdmin } from '../support/redis-replication.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { requireOrSkip } from '../support/system.ts';

vi.setConfig({ testTimeout: 120_000 });
const LIMIT = { timeout: 60_000, interval: 20 };
const FOLDER = new URL('../../config/examples/audit-consumer/', import.meta.url).pathname;
const PASSWORD = 'consumer-password';
const KILLS = 4;
const ROUND = 400;

type Command = (redis: RedisServer, file: string, name: string) => readonly string[];

const CONSUMERS: Readonly<Record<string, Command>> = {
  'consumer.mjs': ({ port }, file, name) => [
    process.execPath,
    join(FOLDER, 'consumer.mjs'),
    `redis://audit-consumer@127.0.0.1:${port}`,
    ...[file, name],
  ],
  'consumer.py': ({ port }, file, name) => [
    'python3',
    join(FOLDER, 'consumer.py'),
    `127.0.0.1:${port}`,
    ...['audit-consumer', file, name],
  ],
};

/** The user as it ships, and nobody without a password. */
async function startStore(folder: string): Promise<RedisServer> {
  const digest = createHash('sha256').update(PASSWORD).digest('hex');
  const user = readFileSync(join(FOLDER, 'users.acl'), 'utf8');
  const aclFile = join(folder, 'users.acl');
  const all = `user default on nopass ~* &* +@all\n`;
  writeFileSync(aclFile, `${all}${user.replace('CONSUMER_PASSWORD_SHA256', digest)}`);
  return startRedis({ aclFile });
}

/** Numbered events, and each 100th without a number, over the four partitions. */
const append = (redis: RedisServer, from: number, count: number) =>
  asAdmin(redis, null, async (root) => {
    for (let n = from; n < from + count; n += 1) {
      const numbered = n % 100 === 0 ? {} : { seq: n };
      const event = JSON.stringify({ id: `r-${n}`, instance: `i-${n % 4}`, ...numbered });
      await root.call('XADD', `sallyport:audit:{${n % 4}}`, '*', 'e', event);
    }
  });

function heldIn(file: string): readonly string[] {
  if (!existsSync(file)) return [];
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const rows = database.prepare('SELECT event FROM events').all();
    return rows.map(({ event }) => JSON.parse(String(event)).id);
  } catch {
    return [];
  } finally {
    database.close();
  }
}

it.for(Object.keys(CONSUMERS))(
  '%s loses and repeats nothing, however often it is killed',
  async (program, ctx) => {
    requireOrSkip(ctx, 'redis-server');
    if (program.endsWith('.py')) requireOrSkip(ctx, 'python3');
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-consumer-'));
    const redis = await startStore(folder);
    let child: ChildProcess | null = null;
    onTestFinished(async () => {
      child?.kill('SIGKILL');
      await redis.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    const file = join(folder, 'events.db');
    let said = '';
    const start = (name: string) => {
      const [command, ...words] = CONSUMERS[program]!(redis, file, name) as [string, ...string[]];
      child = spawn(command, words, {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, REDIS_PASSWORD: PASSWORD, IDLE_MS: '200' },
      });
      child.stderr?.on('data', (text) => {
        said += text;
      });
      return child;
    };
    let written = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const running = start(`worker-${kill % 2}`);
      const gone = new Promise((resolve) => running.once('exit', resolve));
      const before = heldIn(file).length;
      const writing = append(redis, written, ROUND);
      written += ROUND;
      // In the middle of its work.
      await vi.waitFor(() => expect(heldIn(file).length, said).toBeGreaterThan(before), LIMIT);
      running.kill('SIGKILL');
      await gone;
      await writing;
    }
    start('worker-last');
    await vi.waitFor(() => expect(heldIn(file).length, said).toBe(written), LIMIT);
    const held = heldIn(file);
    expect(new Set(held).size).toBe(written);
    await vi.waitFor(async () => {
      const pending = await asAdmin(redis, null, (root) =>
        Promise.all(
          [0, 1, 2, 3].map((n) => root.call('XPENDING', `sallyport:audit:{${n}}`, 'archive')),
        ),
      );
      expect(pending.map((one) => (one as unknown[])[0])).toEqual([0, 0, 0, 0]);
    }, LIMIT);
  },
);

it('the user of a consumer reads the record, and changes nothing of it', async (ctx) => {
  requireOrSkip(ctx, 'redis-server');
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-consumer-'));
  const redis = await startStore(folder);
  onTestFinished(async () => {
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await append(redis, 0, 4);
  const user = { username: 'audit-consumer', password: PASSWORD };
  for (const words of [
    ['XADD', 'sallyport:audit:{0}', '*', 'e', 'x'],
    ['XDEL', 'sallyport:audit:{0}', '1-1'],
    ['XTRIM', 'sallyport:audit:{0}', 'MAXLEN', '0'],
    ['DEL', 'sallyport:audit:{0}'],
    ['GET', 'sallyport:audit:{0}:address-key'],
    ['GET', 'sallyport:{registry}:meta'],
  ] as const satisfies readonly (readonly [string, ...string[]])[])
    await expect(
      asAdmin(redis, user, (root) => root.call(words[0], ...words.slice(1))),
      words[0],
    ).rejects.toThrow(/NOPERM|permission/i);
});
