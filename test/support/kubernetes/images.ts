import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { baseImagesOf, standIn } from '../docker/base-images.ts';
import type { Commands } from '../docker/commands.ts';
import { startEngine } from '../docker/engine.ts';
import type { Podman } from './podman.ts';

const ROOT = join(import.meta.dirname, '../../..');

/** From an engine of our own to podman, which shares nothing with it. */
export async function bringImages(
  podman: Podman,
  folder: string,
  commands: Commands,
): Promise<void> {
  const bases = baseImagesOf(ROOT);
  const engine = await startEngine(join(folder, 'engine'), commands);
  try {
    await standIn(bases, folder, engine.commands);
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      version: string;
    };
    const image = `sallyport:${version}`;
    await engine.commands.run('docker', 'build', '--network', 'host', '--tag', image, ROOT);
    const archive = join(folder, 'images.tar');
    await engine.commands.run('docker', 'save', '--output', archive, image, bases.redis);
    await podman.run('load', '--quiet', '--input', archive);
    rmSync(archive);
  } finally {
    await engine.stop();
  }
}
