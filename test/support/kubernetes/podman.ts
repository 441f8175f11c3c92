import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Commands, Outcome } from '../docker/commands.ts';
import { containersOf, type PodSpec } from './pods.ts';

/**
 * Where engines run inside of a sandbox, cgroups and limits are not theirs to set, and the kernel's
 * log of events is nobody's.
 */
const CONTAINERS_CONF = `
[containers]
pids_limit = 0
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
`;

/** Of a container: what podman does not know, or (ports) opens on the machine as well. */
const LEFT_OUT = [
  'restartPolicy',
  'startupProbe',
  'livenessProbe',
  'readinessProbe',
  'lifecycle',
  'resources',
  'ports',
];

/** podman with storage and state in a folder of its own. */
export class Podman {
  readonly #commands: Commands;
  readonly #words: readonly string[];
  readonly #folder: string;

  constructor(folder: string, commands: Commands) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'containers.conf'), CONTAINERS_CONF);
    this.#commands = commands.with({ CONTAINERS_CONF: join(folder, 'containers.conf') });
    this.#words = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run')];
    this.#folder = folder;
  }

  run(...words: readonly string[]): Promise<string> {
    return this.#commands.run('podman', ...this.#words, ...words);
  }

  outcome(...words: readonly string[]): Promise<Outcome> {
    return this.#commands.outcome('podman', ...this.#words, ...words);
  }

  /** Runs a pod; `folders` stand for its volumes, by their names. */
  async play(name: string, pod: PodSpec, folders: Readonly<Record<string, string>>, hosts = {}) {
    const file = join(this.#folder, `${name}.json`);
    writeFileSync(file, JSON.stringify(playable(name, pod, folders, hosts)));
    await this.run('play', 'kube', file);
  }

  /** Fields of `podman inspect` of a container. */
  async inspect<T>(container: string): Promise<T> {
    return (JSON.parse(await this.run('inspect', container)) as [T])[0];
  }

  /** The address of a pod. */
  async addressOf(pod: string): Promise<string> {
    const { InfraContainerID: infra } = JSON.parse(await this.run('pod', 'inspect', pod)) as {
      InfraContainerID: string;
    };
    const { NetworkSettings: settings } = await this.inspect<{
      NetworkSettings: { Networks: Readonly<Record<string, { IPAddress: string }>> };
    }>(infra);
    return Object.values(settings.Networks)[0]!.IPAddress;
  }

  async logs(container: string): Promise<string> {
    const { out, err } = await this.outcome('logs', container);
    return out + err;
  }

  /** Whatever comes of it, also when all is to stop. */
  async clear(): Promise<void> {
    const commands = this.#commands.with({}, null);
    await commands.outcome(
      'podman',
      ...this.#words,
      'pod',
      'rm',
      '--force',
      '--all',
      '--time',
      '2',
    );
    await commands.outcome('podman', ...this.#words, 'system', 'reset', '--force');
  }
}

/**
 * A pod as podman can run it. What it does not know is left out, and done by the proof in its
 * place: probes, hooks, the order of sidecars (they become ordinary containers), and volumes, which
 * are folders laid out as the kubelet does it.
 */
function playable(
  name: string,
  pod: PodSpec,
  folders: Readonly<Record<string, string>>,
  hosts: Readonly<Record<string, string>>,
) {
  const containers = containersOf(pod).map((container) => {
    const kept = Object.entries(container).filter(([key]) => !LEFT_OUT.includes(key));
    return Object.fromEntries(kept);
  });
  const volumes = (pod.volumes ?? []).map((volume) => ({
    name: volume.name,
    hostPath: { path: folders[volume.name], type: 'Directory' },
  }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      // What the kubelet does about a container that ends, the proof does.
      restartPolicy: 'Never',
      hostAliases: Object.entries(hosts).map(([host, ip]) => ({ ip, hostnames: [host] })),
      securityContext: pod.securityContext,
      containers,
      volumes,
    },
  };
}
