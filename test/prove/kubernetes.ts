/**
 * `npm run prove -- kubernetes`: renders and validates what config/kubernetes holds, with real Helm
 * and kustomize; then runs the pods of examples/redis and examples/guarded with podman, from the
 * image that a Docker engine of our own builds, and does with them what a cluster would. As root on
 * a Debian. Three minutes on a quiet machine; `-- kubernetes pods` leaves out the first part.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Commands } from '../support/docker/commands.ts';
import { GATE, GuardedPod } from '../support/kubernetes/guarded-pod.ts';
import { bringImages } from '../support/kubernetes/images.ts';
import { Podman } from '../support/kubernetes/podman.ts';
import { story } from '../support/kubernetes/story.ts';
import { Proof } from '../support/proof.ts';
import { have, type Part, prepare } from '../support/system.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const NEEDS: readonly Part[] = [
  'dockerd',
  'docker',
  'iptables',
  'mmdebstrap',
  'curl',
  'podman',
  'catatonit',
];

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));

const proof = new Proof();
prepare(['kubernetes', 'docker']);
if (process.argv[2] !== 'pods')
  await proof.judge('chart and kustomizations are valid, alike, and fit their gates', rendered);
const missing = NEEDS.filter((part) => !have(part));
if (process.getuid?.() !== 0) proof.skip('the pods', 'only root may start an engine');
else if (missing.length > 0) proof.skip('the pods', `not installed: ${missing.join(', ')}`);
else await pods();
proof.end();

async function rendered(): Promise<void> {
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const { status, stdout } = spawnSync(
    process.execPath,
    [vitest, 'run', 'test/processes/kubernetes'],
    { cwd: ROOT, encoding: 'utf8' },
  );
  const counts = stdout.trim().split('\n').at(-1) ?? '';
  console.log(`       test/processes/kubernetes: ${counts}`);
  assert.equal(status, 0, stdout);
  assert.match(counts, / 0 skipped$/);
}

async function pods(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-pods-'));
  const commands = new Commands({ cwd: ROOT, signal: stop.signal });
  const podman = new Podman(join(folder, 'podman'), commands);
  try {
    await proof.step('the images, as the Dockerfile makes them', () =>
      bringImages(podman, folder, commands),
    );
    const scene = await GuardedPod.prepare(folder, podman);
    await story(scene, proof);
  } catch (error) {
    proof.counts.failed += 1;
    console.error(error instanceof Error ? error.message : error);
  } finally {
    if (proof.counts.failed > 0) console.log((await podman.logs(GATE)).slice(-6000));
    await podman.clear();
    rmSync(folder, { recursive: true, force: true });
  }
}
