import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The name server of the namespace; who runs there starts it (test/support/dns-server.ts). */
export const NAME_SERVER = '127.0.0.53';

/** Set where the namespace is, and where it could not be made: why. */
const INSIDE = 'SALLYPORT_WORLD';
const REFUSED = 'SALLYPORT_NO_WORLD';

/** How a command is run in a network namespace of its own; `why` when none can be made here. */
export interface WayIn {
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * A loopback of its own, with every port below 1024 free, and names that are looked up at
 * `NAME_SERVER` by every program: its `/etc/resolv.conf` is another one. Needs Linux and root, or a
 * user who may make user namespaces.
 */
export function wayIn(): WayIn {
  const kinds = [
    ['--net', '--mount'],
    ['--user', '--map-root-user', '--net', '--mount'],
  ];
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-names-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const resolv = join(folder, 'resolv.conf');
  writeFileSync(resolv, `nameserver ${NAME_SERVER}\noptions timeout:2 attempts:2\n`);
  const prepare = 'ip link set lo up && mount --bind "$0" /etc/resolv.conf && exec "$@"';
  let why = 'unshare is not installed';
  for (const kind of kinds) {
    const words = ['unshare', ...kind, 'sh', '-c', prepare, resolv];
    const tried = spawnSync(words[0]!, [...words.slice(1), 'true'], { encoding: 'utf8' });
    if (tried.status === 0) return { words, env: { [INSIDE]: '1' } };
    if (tried.error === undefined) why = tried.stderr.trim().replaceAll('\n', '; ');
  }
  return { words: [], env: { [REFUSED]: why } };
}

/** Why the tests that need the namespace cannot run; null inside of it. */
export function outsideWhy(): string | null {
  if (process.env[INSIDE] !== undefined) return null;
  const why = process.env[REFUSED];
  return why === undefined
    ? 'runs in a network namespace of its own: bin/with-node test/run.ts world'
    : `no network namespace can be made here: ${why}`;
}
