import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { findTool, type Tool } from './tools.ts';

export const KUBERNETES = join(import.meta.dirname, '../../../config/kubernetes');

/** An object of Kubernetes, as far as tests look at all kinds alike. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly data?: Readonly<Record<string, string>>;
}

const built = new Map<string, readonly KubernetesObject[]>();

/** What `kubectl apply -k FOLDER` would send; built once. Throws with what kustomize says. */
export function kustomized(folder: string): readonly KubernetesObject[] {
  const objects =
    built.get(folder) ?? objectsOf(run('kubectl', 'kustomize', join(KUBERNETES, folder)));
  built.set(folder, objects);
  return objects;
}

/** The same of `base` with components of ours. */
export function kustomizedWith(...components: readonly string[]): readonly KubernetesObject[] {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-kustomization-')));
  try {
    const at = (path: string) => relative(folder, join(KUBERNETES, path));
    const kustomization = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      resources: [at('base')],
      components: components.map((name) => at(`components/${name}`)),
    };
    writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
    return objectsOf(run('kubectl', 'kustomize', folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What `helm install sallyport` would send with these words. Throws with what Helm says. */
export function rendered(...words: readonly string[]): readonly KubernetesObject[] {
  const chart = join(KUBERNETES, 'chart');
  return objectsOf(run('helm', 'template', 'sallyport', chart, ...words));
}

function objectsOf(text: string): readonly KubernetesObject[] {
  // Both tools write YAML 1.1.
  const documents = parseAllDocuments(text, { version: '1.1' });
  return documents
    .map((document) => document.toJS() as KubernetesObject | null)
    .filter((object) => object !== null);
}

export function run(program: Tool, ...words: readonly string[]): string {
  const path = findTool(program);
  if (path === null) throw new Error(`${program} is not installed`);
  const { status, stdout, stderr } = spawnSync(path, words, { encoding: 'utf8' });
  if (status !== 0)
    throw new Error(`${program} ${words.join(' ')} ended with ${status}: ${stderr}`);
  // What is deprecated is said there, and no fault.
  if (stderr !== '') throw new Error(`${program} ${words.join(' ')} says: ${stderr}`);
  return stdout;
}

/** One of a kind and name. */
export function find(
  objects: readonly KubernetesObject[],
  kind: string,
  name: string,
): KubernetesObject {
  const found = objects.find((one) => one.kind === kind && one.metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found;
}
