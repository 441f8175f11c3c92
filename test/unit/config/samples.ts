import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ConfigFaults, type Fault } from '../../../src/config/faults.ts';
import { type LoadedConfig, type LoadOptions, parseConfig } from '../../../src/config/load.ts';

/** A folder with some files, gone when the test is over. */
export function folder(files: Readonly<Record<string, string>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'sallyport-config-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(path, name), text, { mode: 0o600 });
  return path;
}

/** The smallest gate: what a test adds is put under it. */
export const GATE = `
listen: { proxy: { address: "127.0.0.1:0", plaintext: true } }
upstreams: { api: { addresses: ["http://127.0.0.1:8080"] } }
`;

function route(keys: string): string {
  return `${GATE}routes: [{ ${keys} }]\n`;
}

/** The keys that every route needs, but for what a test says about them. */
export const ROUTE = {
  name: 'r',
  path: '/a',
  methods: '[GET]',
  application: 'any',
  permission: 'a:read',
  upstream: 'api',
};

export function routeWith(changes: Readonly<Record<string, string | null>>): string {
  const keys = Object.entries({ ...ROUTE, ...changes }).filter(([, value]) => value !== null);
  return route(keys.map(([key, value]) => `${key}: ${value}`).join(', '));
}

export function parse(text: string, options: LoadOptions = {}): LoadedConfig {
  return parseConfig(text, '/nowhere/sallyport.yaml', { environment: {}, ...options });
}

export function faultsIn(text: string, options: LoadOptions = {}): readonly Fault[] {
  try {
    parse(text, options);
  } catch (fault) {
    if (fault instanceof ConfigFaults) return fault.faults;
    throw fault;
  }
  return [];
}

/** `path: message`, for comparing. */
export function saidOf(text: string, options: LoadOptions = {}): readonly string[] {
  return faultsIn(text, options).map(({ path, message }) => `${path}: ${message}`);
}
