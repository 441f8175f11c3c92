import { hash } from 'node:crypto';
import { html, raw } from 'hono/html';

type Json = Readonly<Record<string, unknown>>;

const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#d8dbe0, #3a3f47); --soft: light-dark(#f4f5f7, #1f2328); --quiet: light-dark(#5a6270, #a3abb8) }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 2rem 1rem; color: light-dark(#1b1f24, #e6e8eb); background: light-dark(#fff, #14171a) }
h1 { font-size: 1.6rem } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line) } h3 { font-size: 1rem; margin: 0 }
code, pre { font: 0.875rem/1.45 ui-monospace, monospace } pre { background: var(--soft); padding: 0.75rem; overflow-x: auto; border-radius: 6px }
details { border: 1px solid var(--line); border-radius: 6px; margin: 0.5rem 0; padding: 0.5rem 0.75rem } summary { cursor: pointer }
summary h3 { display: inline } .method { display: inline-block; min-width: 4.2rem; font-weight: 700; text-transform: uppercase }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0 } td, th { text-align: left; vertical-align: top; padding: 0.3rem 0.6rem 0.3rem 0; border-top: 1px solid var(--line) }
.quiet, td.quiet { color: var(--quiet) } nav a { margin-right: 1rem } a { color: light-dark(#0b57d0, #8ab4f8) }
`;

/** No script, nothing from elsewhere, and the one style that is ours. */
export const DOCS_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${hash('sha256', STYLE, 'base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
} as const;

/** The API's documentation as one page, made of its OpenAPI document. */
export function docsPage(document: Json): string {
  const { info, paths, components } = document as unknown as OpenApi;
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const tags = [...new Set(all.map(({ operation }) => operation.tags[0] ?? ''))];
  const page = html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${info.title}</title><style>${raw(STYLE)}</style></head>
<body>
<h1>${info.title} <span class="quiet">${info.version}</span></h1>
<p>${info.description}</p>
<p class="quiet">Base <code>/api/v1</code> · errors are <code>application/problem+json</code> · for machines: <a href="openapi.json">openapi.json</a></p>
<pre>curl --cacert ca.pem -H "Authorization: Bearer $SALLYPORT_TOKEN" https://HOST/api/v1/service-accounts</pre>
<nav>${tags.map((tag) => html`<a href="#${anchor(tag)}">${tag}</a>`)}<a href="#schemas">Schemas</a></nav>
${tags.map(
  (tag) => html`<h2 id="${anchor(tag)}">${tag}</h2>
${all.filter(({ operation }) => operation.tags[0] === tag).map(operationOf)}`,
)}
<h2 id="schemas">Schemas</h2>
${Object.entries(components.schemas).map(
  ([
    name,
    schema,
  ]) => html`<details id="schema-${name}"><summary><h3>${name}</h3> <span class="quiet">${schema.description ?? ''}</span></summary>
<pre>${JSON.stringify(schema, null, 2)}</pre></details>`,
)}
</body>
</html>
`;
  return String(page);
}

function operationOf({
  path,
  method,
  operation,
}: {
  path: string;
  method: string;
  operation: DocOperation;
}) {
  return html`<details id="${operation.operationId}"><summary><h3><span class="method">${method}</span> <code>${path}</code></h3> <span class="quiet">${operation.summary}</span></summary>
<p>${operation.description ?? ''}</p>
${
  operation.parameters.length === 0
    ? ''
    : html`<table><thead><tr><th>Parameter</th><th>In</th><th>What it is</th></tr></thead><tbody>${operation.parameters.map(
        (one) =>
          html`<tr><td><code>${one.name}</code>${one.required ? ' (required)' : ''}</td><td>${one.in}</td><td class="quiet">${one.description ?? ''}</td></tr>`,
      )}</tbody></table>`
}
${operation.requestBody === undefined ? '' : html`<p>Body: ${linkOf(operation.requestBody)}</p>`}
<table><thead><tr><th>Status</th><th>Response</th></tr></thead><tbody>${Object.entries(
    operation.responses,
  )
    .filter(([status]) => status !== 'default' && status !== '4XX')
    .map(
      ([status, response]) =>
        html`<tr><td>${status}</td><td>${response.description} ${linkOf(response)}</td></tr>`,
    )}
<tr><td>else</td><td><a href="#schema-Problem">Problem</a></td></tr></tbody></table>
</details>`;
}

function linkOf({
  content = {},
}: {
  readonly content?: Readonly<Record<string, { readonly schema?: { readonly $ref?: string } }>>;
}) {
  const name = Object.values(content)[0]?.schema?.$ref?.split('/').at(-1);
  return name === undefined ? '' : html`<a href="#schema-${name}">${name}</a>`;
}

function anchor(tag: string): string {
  return tag.toLowerCase().replaceAll(' ', '-');
}

interface DocOperation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly description?: string;
  }[];
  readonly requestBody?: Parameters<typeof linkOf>[0];
  readonly responses: Readonly<
    Record<string, { readonly description: string } & Parameters<typeof linkOf>[0]>
  >;
}

interface OpenApi {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, { readonly description?: string }>>;
  };
}
