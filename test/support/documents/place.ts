import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the documents call the hosts: all of them are this machine. */
const HOSTS = ['localhost', 'redis.internal', 'gate.internal'];
/** Where the documents have the service. */
const SERVICE = '10.0.0.7';

export interface Ran {
  readonly status: number | null;
  readonly output: string;
}

/**
 * Where the documents are right as they stand: a network of its own, in which the hosts that they
 * name are there and every port is free, and processes of its own, which end with it. Needs Linux
 * and root, or a user who may make user namespaces. Null, with the reason said, where it cannot be.
 *
 * @param path where its programs are
 */
export function placeIn(folder: string, path: string): ((script: string) => Promise<Ran>) | null {
  const hosts = join(folder, 'hosts');
  writeFileSync(hosts, HOSTS.map((name) => `127.0.0.1 ${name}\n`).join(''));
  const prepare = `ip link set lo up && ip addr add ${SERVICE}/32 dev lo && mount --bind "$0" /etc/hosts && exec "$@"`;
  const kinds = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  let why = 'unshare is not installed';
  for (const user of [[], ['--user', '--map-root-user']]) {
    const words = ['unshare', ...user, ...kinds, 'sh', '-c', prepare, hosts] as const;
    const tried = spawnSync(words[0], [...words.slice(1), 'true'], { encoding: 'utf8' });
    if (tried.status === 0) return (script) => run([...words, 'bash', '-c', script], folder, path);
    if (tried.error === undefined) why = tried.stderr.trim();
  }
  console.log(`no network of its own can be made here: ${why}`);
  return null;
}

/** Ends by itself, or within 15 minutes; both outputs, one behind the other. */
function run(words: readonly string[], folder: string, PATH: string): Promise<Ran> {
  const child = spawn(words[0]!, words.slice(1), {
    cwd: folder,
    env: {
      PATH,
      HOME: process.env.HOME,
      npm_config_offline: 'true',
      npm_config_update_notifier: 'false',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 900_000,
    killSignal: 'SIGKILL',
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, output })));
}
