import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Commands } from '../docker/commands.ts';
import { until } from '../docker/stack.ts';
import { newWorldAuthority, type WorldAuthority } from '../world/certificates.ts';
import { SecretVolume } from '../world/secret-volume.ts';
import { find, type KubernetesObject, kustomized } from './objects.ts';
import type { Podman } from './podman.ts';
import { type PodSpec, podOf } from './pods.ts';

const ROOT = join(import.meta.dirname, '../../..');
export const GATE = 'guarded-sallyport';
export const APPLICATION = 'guarded-deployments';
export const REDIS = 'redis-redis';

/**
 * The pods of `examples/redis` and `examples/guarded`, run by podman, with volumes that are laid
 * out as the kubelet does it: their files belong to root, and are read by their group.
 */
export class GuardedPod {
  readonly podman: Podman;
  readonly pod: PodSpec;
  readonly text: string;
  readonly authority: WorldAuthority;
  readonly config: SecretVolume;
  readonly tls: SecretVolume;
  readonly redisSecret: SecretVolume;
  readonly #folder: string;
  readonly #commands: Commands;
  readonly #objects: readonly KubernetesObject[];
  address = '';
  redisAddress = '';

  private constructor(folder: string, podman: Podman, authority: WorldAuthority, tls: Pair) {
    this.#folder = folder;
    this.#commands = new Commands({ cwd: folder });
    this.podman = podman;
    this.authority = authority;
    this.#objects = kustomized('examples/guarded');
    this.pod = podOf(find(this.#objects, 'Deployment', 'deployments'));
    this.text = find(this.#objects, 'ConfigMap', 'sallyport').data!['sallyport.yaml']!;
    const volume = (name: string, values: Record<string, string>) =>
      new SecretVolume(join(folder, name), values);
    this.config = volume('config', { 'sallyport.yaml': this.text });
    this.tls = volume('tls', { 'tls.crt': tls.certificate, 'tls.key': tls.key });
    this.redisSecret = volume('redis-secret', {
      password: readFileSync(join(folder, 'gate.password'), 'utf8'),
      'ca.crt': authority.pem,
    });
  }

  static async prepare(folder: string, podman: Podman): Promise<GuardedPod> {
    const authority = await newWorldAuthority('ca of a cluster', ['redis', 'deployments']);
    for (const name of ['gate', 'manager'])
      writeFileSync(join(folder, `${name}.password`), `password-of-${name}-1\n`, { mode: 0o600 });
    writeFileSync(join(folder, 'ca.crt'), authority.pem);
    return new GuardedPod(folder, podman, authority, await authority.issue(['deployments']));
  }

  get caFile(): string {
    return join(this.#folder, 'ca.crt');
  }

  /** `examples/redis`, with the users that make-users.sh makes. */
  async startRedis(): Promise<void> {
    const pair = await this.authority.issue(['redis']);
    const redis = find(kustomized('examples/redis'), 'StatefulSet', 'redis');
    const volume = (name: string, values: Record<string, string>) => {
      const { path } = new SecretVolume(join(this.#folder, name), values);
      readable(path, 999);
      return path;
    };
    const folders = {
      config: volume('redis-config', {
        'redis.conf': readFileSync(join(ROOT, 'config/redis/redis.conf'), 'utf8'),
      }),
      users: volume('redis-users', { 'users.acl': this.users() }),
      tls: volume('redis-tls', {
        'tls.crt': pair.certificate,
        'tls.key': pair.key,
        'ca.crt': this.authority.pem,
      }),
      data: emptyDir(join(this.#folder, 'redis-data')),
    };
    const pod = { ...podOf(redis), volumes: [...podOf(redis).volumes!, { name: 'data' }] };
    await this.podman.play('redis', pod, folders);
    this.redisAddress = await this.podman.addressOf('redis');
    writeFileSync(
      join(this.#folder, 'manage.yaml'),
      `store:
  kind: redis
  url: "rediss://${this.redisAddress}:6379"
  username: manager
  passwordFile: manager.password
  tls: { caFile: ca.crt, serverName: redis }
`,
    );
  }

  /** users.acl for the passwords that stand in the folder. */
  users(): string {
    const env = {
      ...process.env,
      GATE_PASSWORD_FILE: join(this.#folder, 'gate.password'),
      MANAGER_PASSWORD_FILE: join(this.#folder, 'manager.password'),
    };
    return execFileSync(join(ROOT, 'config/redis/make-users.sh'), { env, encoding: 'utf8' });
  }

  async start(): Promise<void> {
    for (const { path } of [this.config, this.tls, this.redisSecret]) readable(path, 0);
    const folders = {
      'sallyport-config': this.config.path,
      'sallyport-tls': this.tls.path,
      'sallyport-redis': this.redisSecret.path,
      'sallyport-data': emptyDir(join(this.#folder, 'data')),
    };
    await this.podman.play('guarded', this.pod, folders, { redis: this.redisAddress });
    this.address = await this.podman.addressOf('guarded');
    await this.ready();
  }

  /** As the kubelet swaps a ConfigMap or a Secret. */
  swap(volume: SecretVolume, values: Readonly<Record<string, string>>): void {
    volume.rotate(values);
    readable(volume.path, 0);
  }

  ready(): Promise<void> {
    return until('the gate is ready', async () => (await this.health('/readyz')).status === 200);
  }

  health(path: string): Promise<{ status: number; body: string }> {
    return this.#curl(`http://${this.address}:9464${path}`);
  }

  /** A call as another pod would make it, at the Service's name. */
  call(path: string, token: string | null, ...words: readonly string[]) {
    const authorization = token === null ? [] : ['-H', `Authorization: Bearer ${token}`];
    return this.#curl(
      `https://deployments${path}`,
      '--cacert',
      this.caFile,
      '--connect-to',
      `deployments:443:${this.address}:8443`,
      ...authorization,
      ...words,
    );
  }

  /** Status 0: no connection, or none that lasted. The body ends with what `-w` adds. */
  async #curl(url: string, ...words: readonly string[]) {
    const all = ['-q', '-sS', '--max-time', '40', '-w', '\n%{http_code}', ...words, url];
    const { out } = await this.#commands.outcome('curl', ...all);
    const at = out.lastIndexOf('\n');
    return { status: Number(out.slice(at + 1)), body: out.slice(0, at) };
  }

  /** The command line as the user `manager`, from the machine of an administrator. */
  async manage(...words: readonly string[]): Promise<string> {
    const program = join(ROOT, 'bin/sallyport');
    return (await this.#commands.run(program, ...words, '--config', 'manage.yaml')).trim();
  }

  /** Sets a new password of `gate` in Redis, as its administrator. */
  async setRedisPassword(password: string): Promise<void> {
    writeFileSync(join(this.#folder, 'gate.password'), `${password}\n`, { mode: 0o600 });
    writeFileSync(join(this.#folder, 'redis-users/..data/users.acl'), this.users());
    readable(join(this.#folder, 'redis-users'), 999);
    // What an administrator of Redis does; `default` is off, so by a signal to nobody: a restart.
    await this.podman.run('restart', '--time', '10', REDIS);
  }

  /** The gate's process as the host sees it. */
  async pid(container: string): Promise<number> {
    const { State: state } = await this.podman.inspect<{ State: { Pid: number } }>(container);
    return state.Pid;
  }

  async state(container: string): Promise<{ Status: string; ExitCode: number; Pid: number }> {
    const { State: state } = await this.podman.inspect<{
      State: { Status: string; ExitCode: number; Pid: number };
    }>(container);
    return state;
  }

  async ended(container: string): Promise<number> {
    await until(`${container} ends`, async () => (await this.state(container)).Status === 'exited');
    return (await this.state(container)).ExitCode;
  }

  /** What the kubelet does at the end of this pod, hook by hook; resolves when all have ended. */
  async end(): Promise<{ gate: number; applicationFirst: boolean }> {
    const hook = this.pod.initContainers![0]!.lifecycle!.preStop!.exec!.command;
    const told = this.podman.outcome('exec', GATE, ...hook);
    await sleep(this.pod.containers[0]!.lifecycle!.preStop!.sleep!.seconds * 1000);
    await this.podman.run('kill', '--signal', 'TERM', APPLICATION);
    await this.ended(APPLICATION);
    const applicationFirst = (await this.state(GATE)).Status === 'running';
    const gate = await this.ended(GATE);
    await told;
    return { gate, applicationFirst };
  }
}

interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/** Files of a volume are root's; a group may read them. */
function readable(path: string, group: number): void {
  execFileSync('chown', ['-R', `0:${group}`, path]);
  execFileSync('chmod', ['-R', 'u=rX,g=rX,o=', path]);
  chmodSync(path, 0o755);
  execFileSync('find', [path, '-type', 'd', '-exec', 'chmod', '755', '{}', '+']);
}

function emptyDir(path: string): string {
  mkdirSync(path);
  chownSync(path, 0, 0);
  chmodSync(path, 0o777);
  return path;
}
