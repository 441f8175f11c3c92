import { type JsonSchema, jsonSchema } from '../../src/config/json-schema.ts';

const INTRODUCTION = `# Configuration

Every key of the file, made of the schema by which the gate reads it. What is not here is a fault,
with line and column; \`sallyport check --config FILE\` says all of them at once.
[config/sallyport.yaml](../config/sallyport.yaml) shows every key in place, and
[config/sallyport.schema.json](../config/sallyport.schema.json) tells editors.

\`*\` stands for any name (\`upstreams.*\`) or any element of a list (\`routes.*\`). A changed value
counts from the reload on, unless it says *Counts after a restart*. Secrets come from files or from
the environment (\`\${VARIABLE}\`). Units stand last in names: \`leaseMs\` is milliseconds.

`;

/** The reference of the configuration, in Markdown. */
export function configurationPage(): string {
  const sections = Object.entries(jsonSchema().properties ?? {}).map((entry) =>
    sectionOf(...entry),
  );
  return INTRODUCTION + sections.join('\n');
}

function sectionOf(key: string, schema: JsonSchema): string {
  const entries = new Map<string, string>();
  walk(key, schema, entries);
  const [own, ...rest] = [...entries.values()];
  return `## \`${key}\`\n\n${own?.replace(/^###.*\n\n/, '') ?? ''}\n${rest.join('\n')}`;
}

/** Keys in the order of the schema; of variants that share a key, the first one is told. */
function walk(path: string, schema: JsonSchema, entries: Map<string, string>): void {
  if (!entries.has(path) && !path.endsWith('.*')) entries.set(path, entryOf(path, schema));
  for (const [key, child] of Object.entries(schema.properties ?? {}))
    walk(`${path}.${key}`, child, entries);
  const items = schema.items ?? schema.additionalProperties;
  if (typeof items === 'object') walk(`${path}.*`, items, entries);
  for (const variant of [...(schema.oneOf ?? []), ...variantsOf(schema)])
    walk(path, variant, entries);
}

function variantsOf(schema: JsonSchema): readonly JsonSchema[] {
  return (schema.anyOf as readonly JsonSchema[] | undefined) ?? [];
}

function entryOf(path: string, schema: JsonSchema): string {
  const facts = [kindOf(schema), defaultOf(schema)].filter((fact) => fact !== '').join(' · ');
  const texts = [facts, schema.description ?? ''].filter((text) => text !== '');
  return `### \`${path}\`\n\n${texts.join('\n\n')}\n`;
}

function kindOf(schema: JsonSchema): string {
  if (Array.isArray(schema.enum)) return schema.enum.map((one) => `\`${one}\``).join(' or ');
  if (schema.const !== undefined) return `\`${schema.const}\``;
  const variants = [...(schema.oneOf ?? []), ...variantsOf(schema)];
  if (variants.length > 0)
    return [...new Set(variants.map(kindOf))].filter((kind) => kind !== '').join(' or ');
  if (schema.type === 'boolean') return '`true` or `false`';
  if (schema.type === 'integer') return `Whole number${rangeOf(schema)}`;
  if (schema.type === 'number') return `Number${rangeOf(schema)}`;
  if (schema.type === 'array')
    return `List of ${plural(kindOf(schema.items ?? {}))}${mostOf(schema)}`;
  if (schema.type === 'object') return '';
  return schema.type === 'string' ? 'Text' : '';
}

function plural(kind: string): string {
  return kind === 'Text' ? 'texts' : kind === '' ? 'entries' : kind.toLowerCase();
}

function rangeOf({ minimum, maximum }: JsonSchema): string {
  const [least, most] = [minimum, maximum].map((bound) =>
    typeof bound === 'number' && Math.abs(bound) < Number.MAX_SAFE_INTEGER
      ? bound.toLocaleString('en')
      : null,
  );
  if (least !== null && most !== null) return ` from ${least} to ${most}`;
  if (least !== null) return `, at least ${least}`;
  return most === null ? '' : `, at most ${most}`;
}

function mostOf({ maxItems }: JsonSchema): string {
  return typeof maxItems === 'number' ? `, at most ${maxItems.toLocaleString('en')}` : '';
}

function defaultOf(schema: JsonSchema): string {
  const { default: usual } = schema;
  if (usual === undefined || (typeof usual === 'object' && usual !== null && !Array.isArray(usual)))
    return '';
  return `default \`${JSON.stringify(usual)}\``;
}
