import * as z from 'zod';
import type { AnswerDoc } from '../operations/row.ts';
import { problem } from '../schemas/record-answers.ts';
import { components } from '../schemas/words.ts';
import { STREAM } from './activity-stream.ts';
import { exampleOf, parameterExample } from './examples.ts';
import type { Operation } from './operation.ts';
import { LIST_FORMS } from './responses.ts';

type Json = Readonly<Record<string, unknown>>;

const JSON_TYPE = 'application/json';
const TEXT = { schema: { type: 'string' } };
const PROBLEM = { $ref: '#/components/responses/Problem' };

/** What the operations of a tag are about. */
const TAGS: Readonly<Record<string, string>> = {
  'Service Accounts': 'Machines that are let in, their tokens, and their grants on applications.',
  Users: 'People who administer. They are never let through to the proxied APIs.',
  Roles: 'Named sets of permissions.',
  Teams: 'Who owns which applications, and the role of each member on them.',
  Declaration: 'Roles and teams as a file declares them.',
  Approvals: 'Changes to protected roles, which wait for a second administrator.',
  Activity: 'The record of calls and changes, and the proof that it is whole.',
  Usage: 'Who calls: accounts, applications and routes, as the gates have counted.',
  Instances: 'The running gates.',
  Webhooks: 'Other systems that are told of changes and notices.',
  Explain: 'Why a call would be let in or refused.',
  Advice: 'What is granted and was not used, and what a change would have refused.',
  Tokens: 'For whoever holds a token: to exchange it, or to hand it in.',
};

/**
 * The OpenAPI 3.1 document, made of the same rows and schemas by which requests are routed and
 * checked.
 */
export function openApiDocument(operations: readonly Operation[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  const schemas = componentSchemas();
  for (const operation of [...operations, STREAM]) {
    const row = describe(operation, schemas);
    paths[operation.path] = { ...paths[operation.path], [operation.method]: row };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sallyport admin API',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'Manages the accounts that the gate lets in. Every request shows the token of a service account whose default role holds the permission that the operation names. Nobody can create, change or delete what may do more than they may.',
    },
    servers: [{ url: '/api/v1' }],
    security: [{ token: [] }],
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({
      name,
      description: TAGS[name],
    })),
    paths,
    components: {
      schemas,
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'The token of a service account.' },
      },
      headers: {
        ETag: { description: 'Version of the record, for If-Match.', schema: { type: 'string' } },
      },
      responses: {
        Problem: {
          description: 'Why not.',
          content: { 'application/problem+json': { schema: ref(problem) } },
        },
      },
    },
  };
}

function describe(operation: Operation, schemas: Json): Json {
  const { id, tag, summary, needs } = operation;
  const permission =
    needs === 'any'
      ? 'Needs a valid token.'
      : needs === 'nobody'
        ? ''
        : `Needs the permission \`${needs}\`.`;
  const description = [operation.description, permission]
    .filter((text) => text !== undefined && text !== '')
    .join(' ');
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === '' ? {} : { description }),
    ...(needs === 'nobody' ? { security: [] } : {}),
    parameters: parametersOf(operation),
    ...(operation.body === null
      ? {}
      : { requestBody: bodyOf(operation.body, operation.bodyOptional !== true, schemas) }),
    responses: { ...responsesOf(operation, schemas), '4XX': PROBLEM, default: PROBLEM },
  };
}

function parametersOf({ params, query, conditional, creates, id }: Operation): readonly Json[] {
  return [
    ...fieldsOf(params, 'path'),
    ...fieldsOf(query, 'query'),
    ...(conditional === true
      ? [
          header(
            'If-Match',
            'ETag of the record as you saw it: when it has been changed since, the answer is 412.',
          ),
        ]
      : []),
    ...(creates === undefined
      ? []
      : [
          header(
            'Idempotency-Key',
            'Any text of yours; the same creation asked for again with it is made once (24 hours, per instance).',
          ),
        ]),
    ...(id === STREAM.id ? [header('Last-Event-ID', 'Id of the last event that was seen.')] : []),
  ];
}

function fieldsOf(schema: z.ZodObject | null, where: 'path' | 'query'): readonly Json[] {
  if (schema === null) return [];
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input' });
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property as Json;
    return {
      name,
      in: where,
      required: where === 'path' || required.includes(name),
      ...(description === undefined ? {} : { description }),
      schema: rest,
      example: parameterExample(name, rest),
    };
  });
}

function header(name: string, description: string): Json {
  return { name, in: 'header', required: false, description, schema: { type: 'string' } };
}

function bodyOf(schema: z.ZodType, required: boolean, schemas: Json): Json {
  return { required, content: { [JSON_TYPE]: mediaOf(schema, schemas) } };
}

function responsesOf(operation: Operation, schemas: Json): Json {
  return Object.fromEntries(
    Object.entries(operation.answers).map(([status, answer]) => [
      status,
      responseOf(answer, contentOf(operation, answer, schemas)),
    ]),
  );
}

function responseOf({ description, etag }: AnswerDoc, content: Json): Json {
  return {
    description,
    ...(etag === true ? { headers: { ETag: { $ref: '#/components/headers/ETag' } } } : {}),
    content,
  };
}

/** By media type: a stream of events, or JSON, and what else a list may be asked for as. */
function contentOf(operation: Operation, { schema }: AnswerDoc, schemas: Json): Json {
  if (operation.id === STREAM.id) return { 'text/event-stream': TEXT };
  return {
    [JSON_TYPE]: mediaOf(schema, schemas),
    ...(operation.csv === undefined
      ? {}
      : Object.fromEntries(Object.values(LIST_FORMS).map(({ type }) => [type, TEXT]))),
  };
}

/** A body, by its schema's name and with an example of it. */
function mediaOf(schema: z.ZodType, schemas: Json): Json {
  const reference = ref(schema);
  return { schema: reference, example: exampleOf(reference, '', schemas) };
}

function ref(schema: z.ZodType): Json {
  const id = components.get(schema)?.id;
  if (id === undefined)
    throw new TypeError('a schema of an answer or a body is not among the components');
  return { $ref: uri(id) };
}

function uri(id: string): string {
  return `#/components/schemas/${id}`;
}

function componentSchemas(): Json {
  const { schemas } = z.toJSONSchema(components, { uri, io: 'output' });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _schema, $id: _id, ...schema }]) => [id, schema]),
  );
}
