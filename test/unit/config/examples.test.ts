import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import {
  JSON_SCHEMA_FILE,
  type JsonSchema,
  jsonSchema,
  jsonSchemaText,
} from '../../../src/config/json-schema.ts';
import { type ConfigCheck, loadConfig } from '../../../src/config/load.ts';
import { findTies } from '../../../src/decision/route-ties.ts';
import { folder } from './samples.ts';

const CONFIG = fileURLToPath(new URL('../../../config/', import.meta.url));
const EXAMPLES = [
  'sallyport.yaml',
  ...readdirSync(join(CONFIG, 'examples'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `examples/${name}/sallyport.yaml`)
    .filter((path) => existsSync(join(CONFIG, path))),
];
const ENVIRONMENT = {
  POD_NAME: 'gate-0',
  REDIS_ADDRESS: 'redis.internal:6379',
  APPLICATION: 'crm',
};

const checkTies: ConfigCheck = ({ routes }, report) => {
  for (const tie of findTies(routes))
    report.fault(['routes'], `${tie.first.name} ties with ${tie.second.name}`);
};

/** Loads an example in a folder in which the files that it names are there. */
function loadExample(name: string) {
  const text = readFileSync(join(CONFIG, name), 'utf8');
  const named =
    [...text.matchAll(/^(?!\s*#).*?File: /gm)].length > 0
      ? [...text.matchAll(/File: ([a-z.-]+)/g)].map((match) => match[1]!)
      : [];
  const dir = folder({
    'sallyport.yaml': text,
    ...Object.fromEntries(named.map((file) => [file, 'x'])),
  });
  return loadConfig(join(dir, 'sallyport.yaml'), {
    environment: ENVIRONMENT,
    checks: [checkTies],
  });
}

it.each(EXAMPLES)('loads config/%s without a word', (name) => {
  const { config, warnings } = loadExample(name);
  expect(warnings).toEqual([]);
  expect(config.routes.length).toBeGreaterThan(0);
  expect(config.listen.proxy?.tls).not.toBeNull();
});

it('shows in the commented example what the defaults are', () => {
  const { config } = loadExample('sallyport.yaml');
  const dir = folder({ 'sallyport.yaml': '{}' });
  const defaults = loadConfig(join(dir, 'sallyport.yaml')).config;
  const { name: _, dataDir: __, ...instance } = config.instance;
  expect(defaults).toMatchObject({
    instance,
    registry: config.registry,
    audit: config.audit,
    limits: config.limits,
    realm: config.realm,
  });
});

it('shows every available key in the commented example', () => {
  const text = readFileSync(join(CONFIG, 'sallyport.yaml'), 'utf8');
  const missing = availableKeys(jsonSchema()).filter((key) => !new RegExp(`\\b${key}:`).test(text));
  expect(missing).toEqual([]);
});

it('answers LifeTime clients in their own way', () => {
  const { config } = loadExample('examples/lifetime/sallyport.yaml');
  expect(config.routes.every((route) => route.errors === 'lifetime' && route.caseInsensitive)).toBe(
    true,
  );
  expect(config.routes.filter((route) => route.acceptBareToken).map(({ name }) => name)).toEqual([
    'download',
  ]);
});

it('keeps config/sallyport.schema.json up to date (node src/config/json-schema.ts writes it)', () => {
  expect(readFileSync(JSON_SCHEMA_FILE, 'utf8')).toBe(jsonSchemaText());
});

it('has a JSON schema that takes the examples and refuses what is unknown', () => {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true });
  const validate = ajv.compile(jsonSchema());
  for (const name of EXAMPLES) {
    const value: unknown = parseYaml(readFileSync(join(CONFIG, name), 'utf8'));
    expect([name, validate(value), validate.errors]).toEqual([name, true, null]);
  }
  expect(validate({ lisen: {} })).toBe(false);
  expect(validate({ tls: {} })).toBe(false);
  expect(validate({ limits: { headBytes: 1 } })).toBe(false);
});

it('offers no key that nobody may write', () => {
  const validate = new Ajv2020({ strictTypes: false }).compile(jsonSchema());
  const field = (more: object) => ({ set: { 'X-Key': { valueFile: 'key', ...more } } });
  const file = (more: object) => ({
    upstreams: { api: { addresses: ['http://127.0.0.1:1'], headers: field(more) } },
  });
  expect([validate(file({})), validate(file({ value: 'x' }))]).toEqual([true, false]);
});

it('describes every key in the JSON schema', () => {
  const undescribed: string[] = [];
  visit(jsonSchema(), '', (path, node) => {
    if (typeof node.description !== 'string') undescribed.push(path);
  });
  expect(undescribed).toEqual([]);
});

function availableKeys(schema: JsonSchema): readonly string[] {
  const keys = new Set<string>();
  visit(schema, '', (path) => {
    const key = path.split('.').at(-1)!;
    if (key !== '*') keys.add(key);
  });
  return [...keys];
}

/** Visits every named key. */
function visit(
  node: JsonSchema,
  path: string,
  see: (path: string, node: JsonSchema) => void,
): void {
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    see(`${path}.${key}`, child);
    visit(child, `${path}.${key}`, see);
  }
  const below = [node.items, node.additionalProperties, ...(node.oneOf ?? [])];
  for (const child of below) if (typeof child === 'object') visit(child, `${path}.*`, see);
}
