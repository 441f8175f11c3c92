import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  find,
  KUBERNETES,
  type KubernetesObject,
  kustomizedWith,
  rendered,
  run,
} from '../../support/kubernetes/objects.ts';
import { podOf, unrestrictedIn } from '../../support/kubernetes/pods.ts';
import { faultsOf } from '../../support/kubernetes/schemas.ts';
import { bringTools, toolsOrSkip } from '../../support/kubernetes/tools.ts';

/** Helm says of each object who manages it; kustomize does not. */
const OF_HELM = ['app.kubernetes.io/managed-by', 'helm.sh/chart'];

let folder = '';
beforeAll(() => {
  bringTools();
  folder = mkdtempSync(join(tmpdir(), 'sallyport-chart-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the Helm chart', () => {
  it('renders to the objects of the kustomization, with each component too', (ctx) => {
    toolsOrSkip(ctx, 'helm', 'kubectl');
    expect(comparable(rendered())).toEqual(comparable(kustomizedWith()));
    for (const component of ['monitoring', 'decision'])
      expect(comparable(rendered('--set', `${component}.enabled=true`)), component).toEqual(
        comparable(kustomizedWith(component)),
      );
  });

  it('passes helm lint without a warning', (ctx) => {
    toolsOrSkip(ctx, 'helm');
    expect(run('helm', 'lint', '--strict', '--quiet', join(KUBERNETES, 'chart'))).toBe('');
  });

  it('takes each of its values, and what comes of it is valid', {
    timeout: 60_000,
  }, async (ctx) => {
    toolsOrSkip(ctx, 'helm');
    const values = {
      image: { repository: 'registry.example.com/sallyport', digest: `sha256:${'0'.repeat(64)}` },
      imagePullSecrets: [{ name: 'registry' }],
      config: 'instance: { name: gate }\nlisten: {}\n',
      redis: { password: 'secret-of-gate', ca: 'CERTIFICATE' },
      extraVolumes: [{ name: 'more', secret: { secretName: 'more' } }],
      extraVolumeMounts: [{ name: 'more', mountPath: '/etc/sallyport/more', readOnly: true }],
      autoscaling: { minReplicas: 3, maxReplicas: 9, averageCpu: '500m' },
      terminationGracePeriodSeconds: 90,
      dataSizeLimit: '2Gi',
      service: {
        type: 'LoadBalancer',
        port: 8443,
        annotations: { 'example.com/a': 'b' },
        externalTrafficPolicy: 'Local',
      },
      decision: { enabled: true },
      monitoring: { enabled: true, interval: '15s', labels: { release: 'prometheus' } },
      podAnnotations: { 'example.com/c': 'd' },
      nodeSelector: { 'kubernetes.io/arch': 'arm64' },
      tolerations: [{ key: 'gates', operator: 'Exists' }],
      affinity: { nodeAffinity: {} },
    };
    writeFileSync(join(folder, 'values.yaml'), JSON.stringify(values));
    const objects = rendered('--values', join(folder, 'values.yaml'));
    expect(await faultsOf(objects)).toEqual([]);
    const deployment = find(objects, 'Deployment', 'sallyport');
    const pod = podOf(deployment);
    expect(unrestrictedIn(pod)).toEqual([]);
    expect(pod.terminationGracePeriodSeconds).toBe(90);
    expect(pod.containers[0]!.image).toBe(`${values.image.repository}@${values.image.digest}`);
    expect(find(objects, 'ConfigMap', 'sallyport').data).toEqual({
      'sallyport.yaml': values.config,
    });
    const secret = find(objects, 'Secret', 'sallyport-redis').data!;
    expect(Buffer.from(secret.password!, 'base64').toString()).toBe('secret-of-gate');
    expect(find(objects, 'ServiceMonitor', 'sallyport').metadata.labels).toMatchObject({
      release: 'prometheus',
    });
    const without = rendered('--set', 'networkPolicy.enabled=false');
    expect(without.map(({ kind }) => kind)).not.toContain('NetworkPolicy');
  });

  it.for([
    [
      'a key that it does not know',
      'replicas=3',
      /(replicas' not allowed|replicas is not allowed)/,
    ],
    ['a digest that is none', 'image.digest=latest', /digest.*pattern/is],
    ['a password of Redis without the CA', 'redis.password=x', /redis\.ca is the certificate/],
  ] as const)('refuses %s', ([, value, message], ctx) => {
    toolsOrSkip(ctx, 'helm');
    expect(() => rendered('--set', value)).toThrow(message);
  });

  it('lets nobody in where a list of those who may come is empty', (ctx) => {
    toolsOrSkip(ctx, 'helm');
    const none = ['networkPolicy.metricsFrom=[]', 'decision.from=[]', 'decision.enabled=true'];
    const objects = rendered(...none.flatMap((value) => ['--set-json', value]));
    const { spec } = find(objects, 'NetworkPolicy', 'sallyport') as unknown as {
      spec: { ingress: readonly object[] };
    };
    expect(spec.ingress).toEqual([{ ports: [{ port: 8443, protocol: 'TCP' }] }]);
  });

  it('names its objects for the release, so that two fit into one namespace', (ctx) => {
    toolsOrSkip(ctx, 'helm');
    const names = (release: string) =>
      [
        ...run('helm', 'template', release, join(KUBERNETES, 'chart')).matchAll(/^ {2}name: .*$/gm),
      ].map(([line]) => line);
    const [one, other] = [names('blue'), names('green')];
    expect(one.length).toBeGreaterThan(5);
    expect(one.filter((name) => other.includes(name))).toEqual([]);
  });
});

function comparable(objects: readonly KubernetesObject[]): readonly KubernetesObject[] {
  const sorted = [...objects].sort((a, b) => keyOf(a).localeCompare(keyOf(b)));
  return sorted.map((object) => {
    const labels = Object.entries(object.metadata.labels ?? {}).filter(
      ([name]) => !OF_HELM.includes(name),
    );
    const text = object.data?.['sallyport.yaml'];
    return {
      ...object,
      metadata: { ...object.metadata, labels: Object.fromEntries(labels) },
      // The line for editors says where the schema is, from its own folder.
      ...(text === undefined ? {} : { data: { 'sallyport.yaml': text.replace(/^.*\n/, '') } }),
    };
  });
}

function keyOf({ kind, metadata }: KubernetesObject): string {
  return `${kind} ${metadata.name}`;
}
