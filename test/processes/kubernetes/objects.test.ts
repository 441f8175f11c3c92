import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { derivedFiles } from '../../../config/kubernetes/derived.ts';
import { find, KUBERNETES, kustomized } from '../../support/kubernetes/objects.ts';
import { podOf, unrestrictedIn } from '../../support/kubernetes/pods.ts';
import { faultsOf } from '../../support/kubernetes/schemas.ts';
import { bringTools, toolsOrSkip } from '../../support/kubernetes/tools.ts';

const LIMIT_MS = 60_000;
const FOLDERS = [
  'base',
  'examples/edge',
  'examples/guarded/before',
  'examples/guarded',
  'examples/asked-by-nginx',
  'examples/asked-by-traefik',
  'examples/redis',
  'examples/certificates',
];

beforeAll(bringTools);

describe('the kustomizations', () => {
  it('hold no field that Kubernetes and the operators do not know, and no wrong value', {
    timeout: LIMIT_MS,
  }, async (ctx) => {
    toolsOrSkip(ctx, 'kubectl');
    expect(await faultsOf(FOLDERS.flatMap(kustomized))).toEqual([]);
  });

  it('would be found out', { timeout: LIMIT_MS }, async (ctx) => {
    toolsOrSkip(ctx, 'kubectl');
    const spoilt = (field: string, value: unknown) => {
      const deployment = structuredClone(find(kustomized('base'), 'Deployment', 'sallyport'));
      (podOf(deployment) as unknown as Record<string, unknown>)[field] = value;
      return deployment;
    };
    const unknown = await faultsOf([spoilt('terminationGracePeriod', 45)]);
    expect(unknown.join('\n')).toMatch(/terminationGracePeriod.* does not exist/);
    const wrong = await faultsOf([spoilt('automountServiceAccountToken', 'no')]);
    expect(wrong.join('\n')).toContain('automountServiceAccountToken must be boolean');
  });

  it('run nothing that the profile "restricted" refuses, on a root that is read alone', (ctx) => {
    toolsOrSkip(ctx, 'kubectl');
    const pods = FOLDERS.flatMap(kustomized).filter(({ kind }) =>
      /Deployment|StatefulSet/.test(kind),
    );
    expect(pods.length).toBeGreaterThan(5);
    for (const object of pods)
      expect(unrestrictedIn(podOf(object)), object.metadata.name).toEqual([]);
  });

  it('name images of the version of this package', (ctx) => {
    toolsOrSkip(ctx, 'kubectl');
    const { version } = JSON.parse(
      readFileSync(join(KUBERNETES, '../../package.json'), 'utf8'),
    ) as { version: string };
    const images = FOLDERS.flatMap(kustomized)
      .filter(({ kind }) => kind === 'Deployment')
      .flatMap((object) => [...(podOf(object).initContainers ?? []), ...podOf(object).containers])
      .map(({ image }) => image);
    expect(images.filter((image) => !image.endsWith(`sallyport:${version}`))).toEqual([]);
    const chart = readFileSync(join(KUBERNETES, 'chart/Chart.yaml'), 'utf8');
    for (const key of ['version', 'appVersion']) expect(chart).toMatch(`\n${key}: ${version}\n`);
  });
});

describe('what is made of other files', () => {
  it('is as they are (npm run kubernetes)', () => {
    const stale = [...derivedFiles()].filter(
      ([path, text]) => readFileSync(join(KUBERNETES, path), 'utf8') !== text,
    );
    expect(stale.map(([path]) => path)).toEqual([]);
  });
});
