import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const CONFIG = new URL('../../config/redis/', import.meta.url).pathname;

/** The users that ship, made by the script that ships, and one beside them for whoever tests. */
export interface RedisUsers {
  readonly aclFile: string;
  /** May do everything. */
  readonly root: { readonly username: string; readonly password: string };
  /** As they stand under `store` in a configuration file. */
  readonly gate: { readonly username: string; readonly passwordFile: string };
  readonly manager: { readonly username: string; readonly passwordFile: string };
  /** As whom sentinels watch the servers. */
  readonly watcher: { readonly username: string; readonly password: string };
  /** Of the sentinels, which know no users here. */
  readonly sentinel: { readonly password: string; readonly passwordFile: string };
  remove(): Promise<void>;
}

export async function makeRedisUsers(): Promise<RedisUsers> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-users-'));
  const files = {
    GATE_PASSWORD_FILE: join(folder, 'gate.password'),
    MANAGER_PASSWORD_FILE: join(folder, 'manager.password'),
    SENTINEL_PASSWORD_FILE: join(folder, 'watcher.password'),
  };
  await writeFile(files.GATE_PASSWORD_FILE, 'gate-password\n', { mode: 0o600 });
  const watcher = { username: 'sentinel', password: 'watcher-password' };
  await writeFile(files.SENTINEL_PASSWORD_FILE, watcher.password, { mode: 0o600 });
  await writeFile(files.MANAGER_PASSWORD_FILE, 'manager-password\n', { mode: 0o600 });
  const sentinel = {
    password: 'sentinel-password',
    passwordFile: join(folder, 'sentinel.password'),
  };
  await writeFile(sentinel.passwordFile, sentinel.password, { mode: 0o600 });
  const { stdout } = await promisify(execFile)(join(CONFIG, 'make-users.sh'), {
    env: { ...process.env, ...files },
  });
  const aclFile = join(folder, 'users.acl');
  const root = { username: 'root', password: 'root-password' };
  await writeFile(aclFile, `${stdout}user ${root.username} on >${root.password} ~* &* +@all\n`);
  return {
    aclFile,
    root,
    gate: { username: 'gate', passwordFile: files.GATE_PASSWORD_FILE },
    manager: { username: 'manager', passwordFile: files.MANAGER_PASSWORD_FILE },
    watcher,
    sentinel,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
