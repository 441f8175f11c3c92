import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { copyContext } from './context.ts';
import { layersOf } from './image.ts';
import type { Stack } from './stack.ts';

/**
 * Builds the image anew, without what the builder keeps, from a copy of the sources that has other
 * times: all layers must be the same. Answers how many there are.
 */
export async function buildsTheSame(stack: Stack, root: string, folder: string): Promise<number> {
  const copy = join(folder, 'elsewhere');
  mkdirSync(copy);
  copyContext(root, copy);
  for (const name of ['Dockerfile', '.dockerignore']) cpSync(join(root, name), join(copy, name));
  const sometime = new Date('2001-02-03T04:05:06Z');
  for (const path of readdirSync(copy, { recursive: true }))
    utimesSync(join(copy, String(path)), sometime, sometime);
  const again = `${stack.image}-again`;
  try {
    await stack.docker('build', '--no-cache', '--network', 'host', '--tag', again, copy);
    const layers = await layersOf(stack, stack.image);
    assert.deepEqual(await layersOf(stack, again), layers);
    return layers.length;
  } finally {
    await stack.forget('image', 'rm', '--force', again);
  }
}
