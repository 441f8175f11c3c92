import type { ApiRequest } from '../../support/api/api.ts';
import type { Random } from '../random.ts';
import type { Schema, Values } from './values.ts';

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: Schema;
}

interface Answer {
  readonly $ref?: string;
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

export interface DocumentedOperation {
  readonly method: string;
  readonly path: string;
  readonly operationId: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
  };
  readonly responses: Readonly<Record<string, Answer>>;
}

export interface ApiDocument {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, Omit<DocumentedOperation, 'method' | 'path'>>>>
  >;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

export function operationsOf({ paths }: ApiDocument): readonly DocumentedOperation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, method, path })),
  );
}

export interface MadeRequest extends ApiRequest {
  readonly method: string;
  readonly path: string;
}

/** A request for an operation, as documented or (with `odd` above 0) somewhat off. */
export function makeRequest(
  operation: DocumentedOperation,
  values: Values,
  random: Random,
  odd: number,
): MadeRequest {
  let { path } = operation;
  // Of many parameters that narrow something down, most sets leave nothing over.
  const optional = random.pick([0, 0.1, 0.4]);
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  for (const { name, in: where, required, schema } of operation.parameters) {
    if (!required && !random.chance(optional)) continue;
    const text = textOf(values.make(schema, odd, name));
    if (where === 'path')
      path = path.replace(
        `{${name}}`,
        encodeURIComponent(text.toWellFormed()).replaceAll('.', '%2E') || '%20',
      );
    else if (where === 'query') query.append(name, text);
    else if (/^[ -~]{1,200}$/.test(text)) headers[name] = text;
  }
  if (random.chance(odd / 2)) query.append(random.pick(['extra', 'limit', 'cursor']), '1');
  const search = query.size === 0 ? '' : `?${query}`;
  const request = { method: operation.method.toUpperCase(), path: `${path}${search}` };
  const schema = operation.requestBody?.content['application/json']?.schema;
  if (schema === undefined) return { ...request, headers };
  const body = JSON.stringify(values.make(schema, odd));
  const raw = random.chance(odd / 3) ? body.slice(0, random.below(body.length + 1)) : body;
  const type = random.chance(odd / 3)
    ? random.pick(['text/plain', '', 'application/json; charset=utf-8'])
    : 'application/json';
  return {
    ...request,
    raw,
    headers: { ...headers, ...(type === '' ? {} : { 'content-type': type }) },
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
