import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { countsOf, keysOf } from './reloading.ts';
import { configSchema } from './schema.ts';

/** As much of JSON Schema (draft 2020-12) as the configuration's schema uses. */
export interface JsonSchema {
  [keyword: string]: unknown;
  description?: string;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  items?: JsonSchema;
  oneOf?: JsonSchema[];
}

/**
 * The schema of the file as people write it, for editors. Rules between keys are beyond it:
 * `sallyport check` knows those.
 */
export function jsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema: out }) => {
      if (zodSchema._zod.def.type === 'custom') out.type = 'string';
      // What a variable will hold, only the loader can check.
      if (out.pattern !== undefined) out.pattern += '|\\$\\{';
    },
  }) as JsonSchema;
  for (const key of keysOf(configSchema)) {
    if (countsOf(configSchema, key.split('.')) !== 'restart') continue;
    for (const node of nodesAt(schema, key.split('.')))
      if (node.description !== undefined) node.description += ' Counts after a restart.';
  }
  return { ...withoutOurs(schema), title: 'Sallyport configuration' };
}

/**
 * Without keys that the loader puts in, and that nobody may write: an editor must not offer them.
 */
function withoutOurs(node: JsonSchema): JsonSchema {
  return JSON.parse(JSON.stringify(node), (_key, value: JsonSchema | null) => {
    const { properties } = value ?? {};
    if (typeof properties !== 'object' || properties === null) return value;
    const offered = Object.entries(properties).filter(([, child]) => child.ours !== true);
    return { ...value, properties: Object.fromEntries(offered) };
  }) as JsonSchema;
}

/**
 * The schemas of what stands at a path; more than one where a key has variants. `*` and numbers
 * stand for any item.
 */
export function nodesAt(
  schema: JsonSchema,
  path: readonly (string | number)[],
): readonly JsonSchema[] {
  const [key, ...rest] = path;
  if (key === undefined) return [schema, ...(schema.oneOf ?? [])];
  const variants = (schema.oneOf ?? []).flatMap((variant) => nodesAt(variant, path));
  const named =
    typeof key === 'string' &&
    schema.properties !== undefined &&
    Object.hasOwn(schema.properties, key);
  const child = named ? schema.properties?.[key] : (schema.items ?? schema.additionalProperties);
  return typeof child === 'object' ? [...nodesAt(child, rest), ...variants] : variants;
}

export const JSON_SCHEMA_FILE = fileURLToPath(
  new URL('../../config/sallyport.schema.json', import.meta.url),
);

export function jsonSchemaText(): string {
  return schemaText(jsonSchema());
}

/** A schema as its file holds it. */
export function schemaText(schema: object): string {
  return `${JSON.stringify(schema, null, 2).replace(SIMPLE_LIST, joinLines)}\n`;
}

/** As the formatter of this repository writes them: lists that fit go on one line. */
const SIMPLE_LIST = /\[\n\s+(?:"[^"\n]*"|\d+)(?:,\n\s+(?:"[^"\n]*"|\d+))*\n\s+\]/g;
const COLUMNS = 100;

function joinLines(list: string, at: number, text: string): string {
  const joined = list.replace(/\n\s+/g, ' ').replace('[ ', '[').replace(' ]', ']');
  const columns = at - text.lastIndexOf('\n', at) - 1 + joined.length;
  const isFollowed = text[at + list.length] === ',';
  return columns + (isFollowed ? 1 : 0) <= COLUMNS ? joined : list;
}

/**
 * Run as a script it writes the file; with `--check` it only says whether the file is up to date
 * (exit code 1 when not).
 */
function main(check: boolean): void {
  if (!check) {
    writeFileSync(JSON_SCHEMA_FILE, jsonSchemaText());
  } else if (readFileSync(JSON_SCHEMA_FILE, 'utf8') !== jsonSchemaText()) {
    console.error(
      'config/sallyport.schema.json is out of date: run node src/config/json-schema.ts',
    );
    process.exitCode = 1;
  }
}

if (import.meta.main) main(process.argv.includes('--check'));
