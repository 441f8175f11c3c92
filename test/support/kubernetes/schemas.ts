import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubernetesObject } from './objects.ts';

const MODULES = join(import.meta.dirname, '../../../node_modules');

/** By apiVersion: the module with the published types and schemas of its kinds. */
const PUBLISHED: Readonly<Record<string, readonly [name: string, load: () => Promise<unknown>]>> = {
  v1: ['kubernetes-models/v1', () => import('kubernetes-models/v1')],
  'apps/v1': ['kubernetes-models/apps/v1', () => import('kubernetes-models/apps/v1')],
  'autoscaling/v2': [
    'kubernetes-models/autoscaling/v2',
    () => import('kubernetes-models/autoscaling/v2'),
  ],
  'policy/v1': ['kubernetes-models/policy/v1', () => import('kubernetes-models/policy/v1')],
  'networking.k8s.io/v1': [
    'kubernetes-models/networking.k8s.io/v1',
    () => import('kubernetes-models/networking.k8s.io/v1'),
  ],
  'monitoring.coreos.com/v1': [
    '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
    () => import('@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1'),
  ],
  'cert-manager.io/v1': [
    '@kubernetes-models/cert-manager/cert-manager.io/v1',
    () => import('@kubernetes-models/cert-manager/cert-manager.io/v1'),
  ],
  'traefik.io/v1alpha1': [
    '@kubernetes-models/traefik/traefik.io/v1alpha1',
    () => import('@kubernetes-models/traefik/traefik.io/v1alpha1'),
  ],
};

type Model = new (object: KubernetesObject) => { validate(): void };

/**
 * What an API server would refuse, or drop without a word: values against the published schemas,
 * and fields that no published type has. One line each; empty: nothing.
 */
export async function faultsOf(objects: readonly KubernetesObject[]): Promise<readonly string[]> {
  const invalid: string[] = [];
  for (const object of objects) {
    const [, load] = publishedOf(object);
    const models = (await load()) as Readonly<Record<string, Model | undefined>>;
    const Model = models[object.kind];
    if (Model === undefined) throw new Error(`there is no schema of ${object.kind}`);
    try {
      new Model(object).validate();
    } catch (fault) {
      invalid.push(`${object.kind} ${object.metadata.name}: ${(fault as Error).message}`);
    }
  }
  return [...invalid, ...unknownFieldsIn(objects)];
}

function publishedOf({ apiVersion, kind }: KubernetesObject) {
  const published = PUBLISHED[apiVersion];
  if (published === undefined) throw new Error(`there is no schema of ${apiVersion} ${kind}`);
  return published;
}

/**
 * The schemas allow any further field; the types do not: a literal with a field that its type does
 * not have is an error of the compiler.
 */
function unknownFieldsIn(objects: readonly KubernetesObject[]): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-kubernetes-'));
  try {
    symlinkSync(MODULES, join(folder, 'node_modules'));
    const lines = objects.map((object, index) => {
      const [name] = publishedOf(object);
      const type = `import(${JSON.stringify(name)}).I${object.kind}`;
      return `export const _${index}: ${type} = ${JSON.stringify(object, null, 1)};`;
    });
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, 'objects.ts'), `${lines.join('\n')}\n`);
    const tsc = join(MODULES, 'typescript/bin/tsc');
    const flags =
      '--noEmit --strict --skipLibCheck --module nodenext --target esnext --pretty false';
    const words = [tsc, ...flags.split(' '), '--types', '', 'objects.ts'];
    const { status, stdout, stderr } = spawnSync(process.execPath, words, {
      cwd: folder,
      encoding: 'utf8',
    });
    return status === 0 ? [] : `${stdout}${stderr}`.trim().split('\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
