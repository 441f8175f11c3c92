import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import * as z from 'zod';
import { parsePermissionTemplate } from '../account/permission-template.ts';
import type { Route } from '../decision/route.ts';
import { turn } from '../turns.ts';

/**
 * Routes as they are published: what a call is matched and judged by, and nothing of where it goes
 * (no upstream, no header, no credential).
 */

/** Of what is published, in the base64 of its compressed form; and of that, uncompressed. */
export const PUBLISHED_LIMITS = { textBytes: 1_048_576, plainBytes: 16_777_216 } as const;

export interface RoutesText {
  /** SHA-256 of the uncompressed text, in hex. */
  readonly digest: string;
  readonly text: string;
}

/** Routes that are put into words in one turn of the loop. */
const ROUTES_AT_ONCE = 250;

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** Null: they are more than is published. */
export async function routesText(routes: readonly Route[]): Promise<RoutesText | null> {
  const hash = createHash('sha256');
  const parts: string[] = [];
  let length = 0;
  for (let from = 0; from < routes.length; from += ROUTES_AT_ONCE) {
    await turn();
    const part = routes.slice(from, from + ROUTES_AT_ONCE).map((route) => lineOf(route));
    const text = `${part.join('\n')}\n`;
    length += Buffer.byteLength(text);
    if (length > PUBLISHED_LIMITS.plainBytes) return null;
    hash.update(text);
    parts.push(text);
  }
  const text = (await deflate(parts.join(''))).toString('base64');
  return text.length > PUBLISHED_LIMITS.textBytes ? null : { digest: hash.digest('hex'), text };
}

/**
 * Throws a `TypeError` for a text that is not the one of this digest, or none that this version can
 * read.
 */
export async function routesFrom({ digest, text }: RoutesText): Promise<readonly Route[]> {
  const compressed = Buffer.from(text.slice(0, PUBLISHED_LIMITS.textBytes), 'base64');
  const plain = await inflate(compressed, { maxOutputLength: PUBLISHED_LIMITS.plainBytes }).catch(
    (cause: unknown) => {
      throw new TypeError('the published routes cannot be unpacked', { cause });
    },
  );
  if (createHash('sha256').update(plain).digest('hex') !== digest)
    throw new TypeError('the published routes are not those of their digest');
  const lines = plain.toString('utf8').split('\n').slice(0, -1);
  const routes: Route[] = [];
  for (const [index, line] of lines.entries()) {
    if (index % ROUTES_AT_ONCE === 0) await turn();
    routes.push(routeFrom(line));
  }
  return routes;
}

const word = z.string().max(2048);

/** Of a later version there may be more; what stands here says by itself who is let in. */
const published = z.object({
  name: word,
  host: word,
  path: word,
  methods: z.array(z.string().max(32)).min(1).max(16),
  access: z.enum(['account', 'public']),
  action: z.enum(['renew-token']).nullable(),
  application: z.union([
    z.strictObject({ from: z.enum(['path', 'body']), variable: word }),
    z.strictObject({ from: z.literal('fixed'), name: word }),
    z.strictObject({ from: z.literal('some') }),
    z.strictObject({ from: z.literal('any') }),
  ]),
  upstreamChecksApplications: z.boolean(),
  permission: z.string().max(128).nullable(),
  bodyVariables: z
    .array(z.strictObject({ name: word, json: z.array(word).max(512) }))
    .max(8)
    .readonly(),
  caseInsensitive: z.boolean(),
}) satisfies z.ZodType<Partial<Route>>;

type Published = z.output<typeof published>;

function lineOf(route: Route): string {
  const { name, host, path, methods, access, action, application } = route;
  const { upstreamChecksApplications, permission, bodyVariables, caseInsensitive } = route;
  return JSON.stringify({
    ...{ name, host, path, methods, access, action, application },
    ...{ upstreamChecksApplications, permission, bodyVariables, caseInsensitive },
  });
}

function routeFrom(line: string): Route {
  const { data } = published.safeParse(plainFrom(line));
  if (data === undefined)
    throw new TypeError('the published routes are of a version that this one cannot read');
  return { ...NOT_PUBLISHED, ...data, permissionTemplate: templateOf(data) };
}

function plainFrom(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function templateOf({ permission }: Published): Route['permissionTemplate'] {
  const template = permission === null ? null : parsePermissionTemplate(permission);
  if (typeof template === 'string') throw new TypeError(`a published route: ${template}`);
  return template;
}

/** What has no say in who is let in. */
const NOT_PUBLISHED = {
  upstream: '',
  bodyVariableBytes: 0,
  bodyOn: [],
  upgrade: [],
  stripPrefix: '',
  rewriteOrigin: [],
  cors: null,
  acceptBareToken: false,
  acceptBasic: false,
  forwardAuthorization: false,
  headers: null,
  audit: 'required',
  errors: 'problem',
  rateLimit: null,
} as const satisfies Omit<Route, keyof Published | 'permissionTemplate'>;
