import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { type LoadedConfig, loadConfig } from '../../../src/config/load.ts';
import { find, type KubernetesObject, kustomized } from '../../support/kubernetes/objects.ts';
import {
  type Container,
  containersOf,
  type PodSpec,
  podOf,
} from '../../support/kubernetes/pods.ts';
import { bringTools, toolsOrSkip } from '../../support/kubernetes/tools.ts';

/** After the drain: requests to the admin API under way, and the last records. */
const REST_S = { edge: 7, sidecar: 5 };
const UNITS: Readonly<Record<string, number>> = { Mi: 2 ** 20, Gi: 2 ** 30 };

let folder = '';
beforeAll(() => {
  bringTools();
  folder = mkdtempSync(join(tmpdir(), 'sallyport-agreement-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/**
 * A folder of `config/kubernetes`, its pod with a gate, and the configuration that this one reads.
 */
interface Scene {
  readonly objects: readonly KubernetesObject[];
  readonly pod: PodSpec;
  readonly gate: Container;
  readonly loaded: LoadedConfig;
}

function sceneOf(ctx: TestContext, path: string): Scene {
  toolsOrSkip(ctx, 'kubectl');
  const objects = kustomized(path);
  const pod = podOf(
    find(objects, 'Deployment', path.includes('guarded') ? 'deployments' : 'sallyport'),
  );
  const gate = containersOf(pod).find(({ name }) => name === 'sallyport')!;
  const text = find(objects, 'ConfigMap', 'sallyport').data!['sallyport.yaml']!;
  return { objects, pod, gate, loaded: load(path, text) };
}

/** With the folders of the pod elsewhere, where each file that is named is there. */
function load(path: string, text: string): LoadedConfig {
  const root = join(folder, path);
  const moved = text.replaceAll('/etc/sallyport', root);
  for (const [, file] of moved.matchAll(/File: ([^\s}]+)/g)) {
    mkdirSync(dirname(file!), { recursive: true });
    writeFileSync(file!, 'x', { mode: 0o600 });
  }
  const file = join(root, 'sallyport.yaml');
  writeFileSync(file, moved);
  return loadConfig(file, { environment: { POD_NAME: 'gate-6f7c-x2x' } });
}

const EDGES = ['base', 'examples/edge', 'examples/asked-by-nginx', 'examples/asked-by-traefik'];
const GUARDED = 'examples/guarded';

describe.each([...EDGES, GUARDED])('the pod of %s', (path) => {
  it('is given every file that its configuration names, by folders that Kubernetes swaps', (ctx) => {
    const { gate, loaded } = sceneOf(ctx, path);
    const mounts = gate.volumeMounts!;
    const root = join(folder, path);
    const named = loaded.files.map((file) => file.replace(root, '/etc/sallyport'));
    expect(named.length).toBeGreaterThan(3);
    const lost = named.filter(
      (file) => !mounts.some(({ mountPath }) => dirname(file) === mountPath),
    );
    expect(lost).toEqual([]);
    expect(mounts.filter(({ subPath }) => subPath !== undefined)).toEqual([]);
    expect(loaded.config.instance).toMatchObject({
      name: 'gate-6f7c-x2x',
      dataDir: '/var/lib/sallyport/data',
    });
    expect(gate.args).toEqual(['serve', '--config', '/etc/sallyport/config/sallyport.yaml']);
  });

  it('opens the ports that its gate listens on, and is asked for health there', (ctx) => {
    const { gate, loaded } = sceneOf(ctx, path);
    const { proxy, ops, decision, admin } = loaded.config.listen;
    const listening = [proxy, ops, decision].flatMap((one) =>
      one !== null && 'port' in one.address ? [one.address.port] : [],
    );
    expect(gate.ports!.map(({ containerPort }) => containerPort).sort()).toEqual(listening.sort());
    expect(admin).toBeNull();
    const asked = [gate.startupProbe, gate.livenessProbe, gate.readinessProbe].map(
      (probe) => probe?.httpGet,
    );
    expect(asked.map((one) => one?.path)).toEqual(['/livez', '/livez', '/readyz']);
    const { name } = gate.ports!.find(({ containerPort }) => containerPort === 9464)!;
    expect(new Set(asked.map((one) => one?.port))).toEqual(new Set([name]));
  });

  it('waits for its drain, and has room for its spool', (ctx) => {
    const { pod, loaded } = sceneOf(ctx, path);
    const { lameDuckMs, drainMs } = loaded.config.instance;
    const rest = path === GUARDED ? REST_S.sidecar : REST_S.edge;
    expect(pod.terminationGracePeriodSeconds! * 1000).toBeGreaterThanOrEqual(
      lameDuckMs + drainMs + rest * 1000,
    );
    const [, count, unit] = /^(\d+)(\w+)$/.exec(
      pod.volumes!.find(({ emptyDir }) => emptyDir !== undefined)!.emptyDir!.sizeLimit!,
    )!;
    const room = Number(count) * UNITS[unit!]!;
    expect(room).toBeGreaterThanOrEqual(loaded.config.audit.spool.maxBytes * 1.5);
  });

  it('reaches Redis by TLS, as a user who may not write the registry', (ctx) => {
    const { loaded } = sceneOf(ctx, path);
    expect(loaded.config.store).toMatchObject({ kind: 'redis', username: 'gate' });
    expect(loaded.text).toMatch(/url: rediss:/);
  });

  it('is reached by its Services at the port of the gate alone', (ctx) => {
    const { objects, gate } = sceneOf(ctx, path);
    const open = new Set(gate.ports!.flatMap(({ name, containerPort }) => [name, containerPort]));
    const services = objects.filter(({ kind }) => kind === 'Service');
    expect(services.length).toBeGreaterThan(0);
    for (const { spec, metadata } of services)
      for (const { targetPort } of spec!.ports as { targetPort: string | number }[])
        expect(open, metadata.name).toContain(targetPort);
  });
});

describe('a guarded pod', () => {
  it('keeps its application until its gate has sent clients elsewhere, and no longer', (ctx) => {
    const { pod, gate, loaded } = sceneOf(ctx, GUARDED);
    expect(pod.initContainers).toEqual([gate]);
    expect(gate.restartPolicy).toBe('Always');
    expect(gate.lifecycle!.preStop!.exec!.command.join(' ')).toContain(
      "process.kill(1, 'SIGTERM')",
    );
    for (const { lifecycle } of pod.containers) {
      const stays = lifecycle!.preStop!.sleep!.seconds * 1000;
      expect(stays).toBeGreaterThanOrEqual(5000);
      expect(stays).toBeLessThan(loaded.config.instance.lameDuckMs);
    }
  });

  it('has nothing open to others but its gate, and its application on the loopback', (ctx) => {
    const { objects, pod } = sceneOf(ctx, GUARDED);
    const { spec } = find(objects, 'NetworkPolicy', 'sallyport-guarded');
    const { podSelector, ingress } = spec as unknown as {
      podSelector: unknown;
      ingress: { ports: { port: number }[] }[];
    };
    expect(podSelector).toEqual({ matchLabels: { sallyport: 'guarded' } });
    expect(ingress.flatMap(({ ports }) => ports.map(({ port }) => port))).toEqual([8443, 9464]);
    expect(pod.containers[0]!.args).toContain('127.0.0.1');
  });

  it('is what it was when the gate is taken out again', (ctx) => {
    const { objects } = sceneOf(ctx, GUARDED);
    const before = kustomized(`${GUARDED}/before`);
    expect(JSON.stringify(before)).not.toContain('guarded');
    const [was, is] = [before, objects].map((some) => find(some, 'Deployment', 'deployments'));
    // The selector of a Deployment can never change: the gate must not need it to.
    expect(is!.spec!.selector).toEqual(was!.spec!.selector);
  });
});
