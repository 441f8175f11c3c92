import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stack } from './stack.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
/** What belongs to /app. */
const HOLDS = [
  'LICENSE',
  'LICENSES-OF-OTHERS',
  'bin',
  'config',
  'dist',
  'package.json',
  'sbom.cdx.json',
];
const MOST_MB = 25;
const LABELS = 'org.opencontainers.image';

interface Inspected {
  readonly Size: number;
  readonly Architecture: string;
  readonly RootFS: { readonly Layers: readonly string[] };
  readonly Config: {
    readonly User: string;
    readonly Labels: Readonly<Record<string, string>>;
    readonly Healthcheck: { readonly Test: readonly string[] };
  };
}

/** What is known of the image, for docs/IMAGE.md. */
export interface ImageFigures {
  readonly megabytes: number;
  /** Without its base. */
  readonly ours: number;
  readonly architecture: string;
  readonly packages: number;
}

/** Looks into the image. */
export async function checkImage(stack: Stack, base: string): Promise<ImageFigures> {
  const { User, Labels, Healthcheck } = (await inspected(stack, stack.image)).Config;
  assert.match(User, /^[1-9]\d*:[1-9]\d*$/, 'its user is a number, and not root');
  assert.equal(Healthcheck.Test[0], 'CMD', 'its health check asks no shell');
  const own = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Named;
  assert.equal(Labels[`${LABELS}.version`], own.version);
  assert.equal(Labels[`${LABELS}.base.name`], base);
  assert.deepEqual((await inImage(stack, "readdirSync('/app').join()")).split(',').sort(), HOLDS);
  const bill = JSON.parse(await inImage(stack, "readFileSync('/app/sbom.cdx.json', 'utf8')"));
  const packages = (bill as { components: readonly Named[] }).components;
  const names = new Set(packages.map(({ name }) => name));
  assert.deepEqual(
    ['hono', 'ioredis', 'undici', 'zod'].filter((name) => !names.has(name)),
    [],
    'the bill of materials has what we use',
  );
  const version = await stack.docker('run', '--rm', ...HARDENED, stack.image, '--version');
  assert.match(version, /^\d+\.\d+\.\d+/, 'it answers without the right to anything');

  const [whole, below] = await Promise.all([inspected(stack, stack.image), inspected(stack, base)]);
  const ours = (whole.Size - below.Size) / 1e6;
  assert(ours < MOST_MB, `${ours} MB above its base are more than ${MOST_MB}`);
  const { Architecture: architecture } = whole;
  return { megabytes: whole.Size / 1e6, ours, architecture, packages: packages.length };
}

interface Named {
  readonly name: string;
  readonly version: string;
}

const HARDENED = ['--read-only', '--cap-drop', 'ALL', '--network', 'none'];

/** The value of an expression about files, as Node in the image says it. */
async function inImage(stack: Stack, expression: string): Promise<string> {
  const words = ['--entrypoint', 'node', stack.image, '-p', `require('fs').${expression}`];
  return (await stack.docker('run', '--rm', ...HARDENED, ...words)).trim();
}

async function inspected(stack: Stack, image: string): Promise<Inspected> {
  return (JSON.parse(await stack.docker('image', 'inspect', image)) as [Inspected])[0];
}

/** Of what an image is laid, as digests of what is unpacked. */
export async function layersOf(stack: Stack, image: string): Promise<readonly string[]> {
  return (await inspected(stack, image)).RootFS.Layers;
}
