/**
 * Copies the audit of Sallyport into an SQLite file, each event once, however often it is killed:
 *
 *     npm install ioredis
 *     REDIS_PASSWORD=… node consumer.mjs redis://audit-consumer@127.0.0.1:6379 events.db worker-1
 *
 * An entry is acknowledged after the transaction that holds it. What was written and not
 * acknowledged comes again, and its key is there already. Run several with different names: each
 * gets a part, and takes over what another one left for IDLE_MS. Give each a file of its own, or a
 * database that they share.
 */
import { DatabaseSync } from 'node:sqlite';
import { Redis } from 'ioredis';

const [, , url, file, name] = process.argv;
const { KEY_PREFIX = 'sallyport', GROUP = 'archive', IDLE_MS = '60000' } = process.env;
const STREAMS = [0, 1, 2, 3].map((n) => `${KEY_PREFIX}:audit:{${n}}`);
const COUNT = 200;

const { hostname, port, protocol, username } = new URL(url);
const redis = new Redis({
  host: hostname,
  port: Number(port || 6379),
  username: decodeURIComponent(username),
  password: process.env.REDIS_PASSWORD,
  ...(protocol === 'rediss:' ? { tls: {} } : {}),
  maxRetriesPerRequest: null,
});
redis.on('error', (fault) => console.error(fault.message));
const database = new DatabaseSync(file);
database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 10000;
  CREATE TABLE IF NOT EXISTS events (key TEXT PRIMARY KEY, event TEXT NOT NULL)`);
const insert = database.prepare('INSERT OR IGNORE INTO events VALUES (?, ?)');

/** What is numbered is known by its instance and number, the rest by its place in the stream. */
function keyOf(stream, id, event) {
  try {
    const { instance, seq } = JSON.parse(event);
    if (typeof instance === 'string' && Number.isInteger(seq)) return `${instance}/${seq}`;
  } catch {
    // A line that cannot be read is kept as it is.
  }
  return `${stream}/${id}`;
}

async function take(stream, entries) {
  // Null: trimmed by retention before it was delivered again.
  const whole = entries.filter(([, fields]) => fields !== null);
  database.exec('BEGIN IMMEDIATE');
  try {
    for (const [id, fields] of whole) insert.run(keyOf(stream, id, fields[1]), fields[1]);
    database.exec('COMMIT');
  } catch (fault) {
    database.exec('ROLLBACK');
    throw fault;
  }
  if (entries.length > 0) await redis.xack(stream, GROUP, ...entries.map(([id]) => id));
}

/** What this name, and others for so long, were given and did not acknowledge. */
async function takeLeftovers(stream, idleMs) {
  for (let from = '0-0'; ; ) {
    const [next, entries] = await redis.xautoclaim(
      ...[stream, GROUP, name, idleMs, from, 'COUNT', COUNT],
    );
    await take(stream, entries);
    if (next === '0-0') return;
    from = next;
  }
}

for (const stream of STREAMS)
  await redis.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM').catch((fault) => {
    if (!fault.message.startsWith('BUSYGROUP')) throw fault;
  });
for (let lookedMs = 0; ; ) {
  if (Date.now() - lookedMs > Number(IDLE_MS) / 2) {
    for (const stream of STREAMS) await takeLeftovers(stream, Number(IDLE_MS));
    lookedMs = Date.now();
  }
  const found = await redis.xreadgroup(
    ...['GROUP', GROUP, name, 'COUNT', COUNT, 'BLOCK', 500, 'STREAMS'],
    ...[...STREAMS, ...STREAMS.map(() => '>')],
  );
  for (const [stream, entries] of found ?? []) await take(stream, entries);
}
