import * as z from 'zod';
import {
  type PermissionTemplate,
  parsePermissionTemplate,
} from '../../account/permission-template.ts';
import { ROUTABLE, WITHOUT_BODY } from '../../http/method.ts';
import { type JsonPointer, parseJsonPointer } from '../json-pointer.ts';
import { flag, name, orNull, whole } from '../values.ts';
import { cors, isOrigin } from './cors.ts';
import { headers } from './headers.ts';
import { rate } from './limits.ts';

/** What the gate does itself, instead of passing a call on. */
const ROUTE_ACTIONS = ['renew-token'] as const;
/** What a public route lets through. */
export const PUBLIC_METHODS = ['GET', 'HEAD'] as const;

export type RouteApplication =
  | { readonly from: 'path' | 'body'; readonly variable: string }
  | { readonly from: 'fixed'; readonly name: string }
  | { readonly from: 'some' }
  | { readonly from: 'any' };

const APPLICATION = /^(?:\{([A-Za-z][A-Za-z0-9_-]{0,31})\}|([A-Za-z0-9][A-Za-z0-9._-]{0,63}))$/;

/**
 * An upgrade token (RFC 9110 §7.8); never one by which what follows would be HTTP, and pass unread.
 */
const UPGRADE = /^(?!(?:h2c?|tls|https?)$)[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/;

const VARIABLE = /^[A-Za-z][A-Za-z0-9_-]{0,31}$/;

/** `{variable}`, `any`, `some`, or the name of an application. */
function compileApplication(text: string, ofBody: readonly string[]): RouteApplication {
  const [, variable, fixed] = APPLICATION.exec(text) ?? [];
  if (variable !== undefined)
    return { from: ofBody.includes(variable) ? 'body' : 'path', variable };
  if (fixed === 'some') return { from: 'some' };
  return fixed === undefined || fixed === 'any' ? { from: 'any' } : { from: 'fixed', name: fixed };
}

const errors = z.enum(['problem', 'lifetime']);

/** The file-level default. */
export const errorsKey = errors
  .default('problem')
  .describe(
    'Shape of refusals: RFC 9457 `problem`, or `lifetime` for clients of the LifeTime API. A route may say otherwise.',
  );

const rateLimit = z.strictObject({
  ...rate,
  per: z
    .enum(['account', 'route'])
    .describe(
      'Whose calls are counted together: those of each account, or all calls of the route.',
    ),
});

// Rules between keys (a permission unless public, variables that exist, …) are in
// ../route-rules.ts: they run on what is written, so that a slip in one key does not hide the
// faults of the others.
const route = z
  .strictObject({
    name: name.describe('Unique; appears in audit and metrics.'),
    host: z
      .string()
      .max(255)
      .default('*')
      .describe(
        'Host to match, without port; `*.example.com` = each name with one label more; `*` = any. The exact name wins over `*.`, and that over `*`. Where any route names a host, a request of HTTP/1.0 without one is refused.',
      ),
    path: z
      .string()
      .max(2048)
      .describe(
        'Path to match: literal segments, `{name}` for one segment, `/**` at the end for whatever follows (also nothing). The last segment may end in a verb: `/tasks/{task}:cancel`.',
      ),
    methods: z
      .array(z.enum(ROUTABLE))
      .min(1, 'at least one method is needed')
      .optional()
      .describe('Methods to match.'),
    bodyOn: z
      .array(z.enum(WITHOUT_BODY))
      .default([])
      .describe(
        'Methods of the route whose requests may have a body, besides POST, PUT and PATCH, which always may. Only for an upstream that reads it: one that does not takes it for the next request.',
      ),
    upgrade: z
      .array(
        z
          .string()
          .regex(
            UPGRADE,
            'expected the name of a protocol in lower case, such as websocket; never h2c, http or tls',
          ),
      )
      .max(8, 'at most 8 protocols')
      .default([])
      .describe(
        'Protocols to which GET requests of the route may change their connection, where its upstream agrees: `websocket`, or the name of another one, whose bytes pass unread. A request for any other protocol is served as if it had not asked for it.',
      ),
    access: z
      .enum(['account', 'public'])
      .default('account')
      .describe('`public`: no token is read or forwarded, GET and HEAD only.'),
    application: z
      .string()
      .regex(APPLICATION, 'expected {variable}, the name of an application, any or some')
      .optional()
      .describe(
        'Which application a request is about: `{variable}` of the path or of `variables`, a fixed name, or `any`. Of several values each must be permitted. `some`: one application of the registry that permits is enough, and the service is told all that do, in `X-Account-Applications`; weaker, because the service must look at it.',
      ),
    upstreamChecksApplications: flag(
      false,
      'Of `application: some`: the service itself refuses what is not about one of `X-Account-Applications`. Without it, unsafe methods are a fault.',
    ),
    permission: orNull(
      z.string().max(128),
      'Permission that the effective role must hold, such as `deployments:write`. Words but the first may be variables: `deployments:{environment}:write`.',
    ),
    variables: z
      .record(
        z
          .string()
          .regex(VARIABLE, 'a variable has 1 to 32 letters, digits, _ and -, a letter first'),
        z.strictObject({
          json: z
            .string()
            .max(1024)
            .describe(
              'JSON pointer (RFC 6901) to a string; `*` is every element of an array: `/Operations/*/ApplicationKey`.',
            ),
        }),
      )
      .refine((variables) => Object.keys(variables).length <= 8, 'at most 8 variables')
      .default({})
      .describe(
        'Variables for `application` and `permission` whose values stand in the body: unencoded UTF-8 `application/json`, read strictly and whole before the decision, and forwarded byte for byte. A value that is missing, empty, no string or no possible name is refused.',
      ),
    bodyVariableBytes: whole(
      { min: 1, max: 1_048_576, default: 65_536 },
      'Largest body that is read for `variables`, in bytes. Beyond: 413.',
    ),
    action: orNull(
      z.enum(ROUTE_ACTIONS),
      '`renew-token`: the gate itself exchanges the token of the caller for a new one and answers as LifeTime’s `POST …/auth/tokens` does; the former token is refused from then on. POST only, without upstream, permission and application. The store user needs the rights of `manager`.',
    ),
    upstream: z
      .string()
      .optional()
      .describe('Name of the upstream; needed unless the route has an action.'),
    stripPrefix: z
      .string()
      .default('')
      .describe('Leading literal segments that are removed before forwarding, such as `/api`.'),
    caseInsensitive: flag(false, 'Whether literal segments match in any letter case.'),
    acceptBareToken: flag(
      false,
      'Whether `Authorization: <token>` without `Bearer` is understood.',
    ),
    acceptBasic: flag(
      false,
      'Whether Basic with the token as its password is understood, for clients that can do nothing else (git, pip, npm, NuGet, Maven). The user name can be any.',
    ),
    cors: orNull(
      cors,
      'Lets pages of other origins call the route from a browser: preflights are answered by the gate, without a token. Never with credentials (cookies).',
    ),
    headers: orNull(
      headers,
      'Fields set on requests of this route and taken off them; what the route says of a field counts before what the upstream says.',
    ),
    rewriteOrigin: z
      .array(
        z
          .string()
          .max(300)
          .refine(
            isOrigin,
            'expected an origin such as https://lifetime.internal (scheme and host in lower case, no path, no default port)',
          ),
      )
      .max(16, 'at most 16 origins')
      .default([])
      .describe(
        'Origins by which the upstream names itself in `Location`, `Content-Location` and `Link`: such links become ones to the gate, by the name that the client has called. Bodies are never rewritten.',
      ),
    forwardAuthorization: flag(
      false,
      "Whether the upstream gets the client's Authorization header. It holds the token.",
    ),
    audit: z
      .enum(['required', 'best-effort'])
      .default('required')
      .describe('`best-effort`: calls go on when they cannot be recorded.'),
    errors: errors
      .optional()
      .describe('Shape of refusals on this route, where it differs from the file.'),
    rateLimit: orNull(rateLimit, 'How often the route may be called. Beyond: 429.'),
  })
  .transform(({ application, methods, host, upstream, action, variables, ...rest }) => ({
    ...rest,
    host: host.toLowerCase(),
    methods: methods ?? (action === null ? [...PUBLIC_METHODS] : ['POST' as const]),
    action,
    upstream: upstream ?? '',
    application: compileApplication(application ?? 'any', Object.keys(variables)),
    bodyVariables: compileVariables(variables),
    permissionTemplate: templateOf(rest.permission),
  }));

/** Faults are told by the rules between keys. */
function compileVariables(
  variables: Readonly<Record<string, { readonly json: string }>>,
): readonly { readonly name: string; readonly json: JsonPointer }[] {
  return Object.entries(variables).flatMap(([name, { json }]) => {
    const pointer = parseJsonPointer(json);
    return typeof pointer === 'string' ? [] : [{ name, json: pointer }];
  });
}

function templateOf(permission: string | null): PermissionTemplate | null {
  const template = permission === null ? null : parsePermissionTemplate(permission);
  return typeof template === 'string' ? null : template;
}

export const routesSection = z
  .array(route)
  .max(10_000, 'at most 10000 routes')
  .default([])
  .describe('What is let in, and where it goes. What no route matches does not get in.');
