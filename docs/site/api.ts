import { openApiDocument } from '../../src/admin/api/openapi.ts';
import { FOUND_TOKENS, OPERATIONS } from '../../src/admin/api/operations.ts';
import { packageVersion } from '../../src/telemetry/metrics.ts';
import { type Sample, samplesOf } from './samples.ts';

interface Media {
  readonly schema?: Schema;
  readonly example?: unknown;
}

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
}

export interface ApiOperation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: 'path' | 'query' | 'header';
    readonly required: boolean;
    readonly description?: string;
    readonly example?: unknown;
  }[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, Media>>;
  };
  readonly responses: Readonly<
    Record<string, { readonly description?: string; readonly content?: Record<string, Media> }>
  >;
}

interface OpenApi {
  readonly tags: readonly { readonly name: string; readonly description?: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, ApiOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const INTRODUCTION = `# Admin API

Everything that the command line and the console do, over HTTPS: \`listen.admin\` serves it at
\`/api/v1\`. This page is made of the same OpenAPI 3.1 document that a gate serves at
\`/api/v1/openapi.json\` ([openapi.json](openapi.json)).

- **Who asks** shows the token of a service account in \`Authorization: Bearer\`. Its default role
  must hold the permission that the operation names, and nobody gives more than they have.
- **Faults** are RFC 9457 problem details with a stable \`reason\`.
- **Lists** come in pages: \`next\` is the \`cursor\` of the next one, and \`null\` is the end.
- **Two people at once**: a record's \`ETag\` in \`If-Match\` makes a change fail (412) where somebody
  else was faster.
- **Repetitions**: the same \`Idempotency-Key\` makes one thing once.

The samples read \`SALLYPORT_URL\` (\`https://gate.example.com:9443\`) and \`SALLYPORT_TOKEN\` from the
environment. Let them trust the CA of the gate's certificate: \`SALLYPORT_CA\` for curl,
\`NODE_EXTRA_CA_CERTS\` for Node, \`SSL_CERT_FILE\` for Python.

`;

/** The document that a gate serves, with all that can be switched on. */
export function apiDocument(): Readonly<Record<string, unknown>> {
  return openApiDocument([...OPERATIONS, ...FOUND_TOKENS], packageVersion());
}

/** The reference of the admin API, in Markdown. */
export function apiPage(): string {
  const { tags, paths, components } = apiDocument() as unknown as OpenApi;
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const chapters = tags.map(({ name, description = '' }) => {
    const own = all.filter(({ operation }) => operation.tags[0] === name);
    return `## ${name}\n\n${description}\n\n${own.map(operationText).join('\n')}`;
  });
  const schemas = Object.entries(components.schemas).map(schemaText);
  return `${INTRODUCTION}${chapters.join('\n')}\n## Schemas\n\n${schemas.join('\n')}`;
}

interface Row {
  readonly path: string;
  readonly method: string;
  readonly operation: ApiOperation;
}

function operationText({ path, method, operation }: Row): string {
  const { summary, description = '', parameters, requestBody, responses } = operation;
  const body = requestBody === undefined ? undefined : Object.values(requestBody.content)[0];
  const samples = samplesOf(sampleOf({ path, method, operation }));
  return [
    `### ${summary}`,
    `\`${method.toUpperCase()} ${path}\``,
    description,
    parameters.length === 0
      ? ''
      : `| parameter | in | what it is |\n| --- | --- | --- |\n${parameters
          .map(
            (one) =>
              `| \`${one.name}\`${one.required ? ' (needed)' : ''} | ${one.in} | ${cell(one.description)} |`,
          )
          .join('\n')}`,
    body === undefined
      ? ''
      : `Body: ${nameOf(body.schema)}${requestBody?.required === false ? ', may be left out' : ''}.`,
    `| status | response |\n| --- | --- |\n${Object.entries(responses)
      .filter(([status]) => status !== 'default')
      .map(([status, one]) => `| ${status} | ${cell(one.description)} ${nameOf(mediaOf(one))} |`)
      .join('\n')}`,
    `\`\`\`sh\n${samples.curl}\n\`\`\``,
    `\`\`\`js\n${samples.node}\n\`\`\``,
    `\`\`\`python\n${samples.python}\n\`\`\``,
    responseExample(responses),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n');
}

/** The request with the examples of its needed parameters and of its body. */
export function sampleOf({ path, method, operation }: Row): Sample {
  const needed = operation.parameters.filter(({ required }) => required);
  const value = (name: string) =>
    encodeURIComponent(String(needed.find((one) => one.name === name)?.example ?? name));
  const query = needed
    .filter((one) => one.in === 'query')
    .map((one) => `${one.name}=${value(one.name)}`);
  const filled = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => value(name));
  const body = Object.values(operation.requestBody?.content ?? {})[0];
  return {
    method: method.toUpperCase(),
    path: query.length === 0 ? filled : `${filled}?${query.join('&')}`,
    body: operation.requestBody?.required === true ? body?.example : undefined,
  };
}

function responseExample(responses: ApiOperation['responses']): string {
  const first = Object.entries(responses).find(([status]) => status.startsWith('2'))?.[1];
  const media = first === undefined ? undefined : Object.values(first.content ?? {})[0];
  return media?.example === undefined
    ? ''
    : `\`\`\`json\n${JSON.stringify(media.example, null, 2)}\n\`\`\``;
}

function mediaOf({ content }: ApiOperation['responses'][string]): Schema | undefined {
  return Object.values(content ?? {})[0]?.schema;
}

function schemaText([name, schema]: readonly [string, Schema]): string {
  const fields = Object.entries(schema.properties ?? {});
  const rows = fields.map(([key, field]) => {
    const optional = schema.required?.includes(key) === true ? '' : ' (may be missing)';
    return `| \`${key}\`${optional} | ${kindOf(field)} | ${cell(field.description)} |`;
  });
  const table =
    rows.length === 0
      ? kindOf(schema)
      : `| field | kind | what it is |\n| --- | --- | --- |\n${rows.join('\n')}`;
  return `### ${name}\n\n${schema.description ?? ''}\n\n${table}\n`;
}

function kindOf(schema: Schema): string {
  if (schema.$ref !== undefined) return nameOf(schema);
  const variants = schema.anyOf ?? schema.oneOf;
  if (variants !== undefined) return variants.map(kindOf).join(' or ');
  if (schema.enum !== undefined) return schema.enum.map((one) => `\`${one}\``).join(' or ');
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.type === 'array') return `list of ${kindOf(schema.items ?? {})}`;
  if (schema.type === 'object' && schema.properties !== undefined)
    return `object (${Object.keys(schema.properties)
      .map((key) => `\`${key}\``)
      .join(', ')})`;
  return schema.type ?? 'anything';
}

function nameOf(schema: Schema | undefined): string {
  const name = schema?.$ref?.split('/').at(-1);
  return name === undefined ? '' : `[${name}](#${name.toLowerCase()})`;
}

function cell(text = ''): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
