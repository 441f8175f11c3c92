import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { OpenApiCore } from './lint.ts';
import type { MarkdownIt } from './markdown.ts';

const FOLDER = join(import.meta.dirname, 'generator');

/** As much of Eleventy as is used here. */
export interface EleventyConfig {
  addTemplate(path: string, text: string, data: Readonly<Record<string, unknown>>): void;
  addTransform(
    name: string,
    transform: (this: { readonly page: { readonly outputPath: string } }, text: string) => string,
  ): void;
  setLibrary(extension: string, library: unknown): void;
  setTemplateFormats(formats: readonly string[]): void;
  setUseGitIgnore(use: boolean): void;
}

/** The packages that render and check. */
export interface Generator extends OpenApiCore {
  readonly Eleventy: new (
    input: string,
    output: string,
    options: {
      readonly quietMode: boolean;
      readonly configPath: string;
      config(config: EleventyConfig): void;
    },
  ) => { write(): Promise<unknown> };
  markdownIt(options: { readonly html: boolean }): MarkdownIt;
}

/**
 * Installs them where they are not there as their lock file says. They have a folder of their own,
 * so that whoever only runs or tests the gate does not install them.
 */
export async function openGenerator(): Promise<Generator> {
  install();
  const path = join(FOLDER, 'index.mjs');
  return (await import(pathToFileURL(path).href)) as Generator;
}

function install(): void {
  const installed = join(FOLDER, 'node_modules/.package-lock.json');
  const lock = join(FOLDER, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  const words = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  const { status, error } = spawnSync('npm', words, {
    cwd: FOLDER,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0)
    throw new Error(
      `the generator of the documentation could not be installed: ${error ?? `npm ci ended with ${status}`}`,
    );
}
