import type { HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { withVisibleEscapes } from '../../audit/event/text.ts';
import { plainAddress } from '../../http/ip-address.ts';
import { type Reason, type RefusalReason, refusalKind } from '../../refusal.ts';
import { StoreUnavailable } from '../../store/fault.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Control } from '../control.ts';
import { followRoute } from './activity-stream.ts';
import { DOCS_HEADERS, docsPage } from './docs-page.ts';
import type { FoundTokens } from './found-tokens.ts';
import type { Admission, ApiGuard } from './guard.ts';
import type { IdempotencyKeys } from './idempotency.ts';
import { readBody, readIdempotencyKey, readIfMatch, readParams, readQuery } from './input.ts';
import { openApiDocument } from './openapi.ts';
import type { Answer, Call, Operation, OperationServices } from './operation.ts';
import { FOUND_TOKENS, OPERATIONS } from './operations.ts';
import {
  isRefusal,
  type Problem,
  problemHeaders,
  problemOf,
  type Refused,
  refusedBy,
} from './problem.ts';
import {
  type AdminCallRecord,
  type AdminRecorder,
  type Known,
  NOBODY,
  recordOf,
} from './recorder.ts';
import type { OpenStreams } from './streams.ts';
import { bodyFaultOf, hasLeft } from './unfinished.ts';

/** Where the API is mounted. */
export const API_BASE = '/api/v1';

export interface ApiParts {
  readonly control: Control;
  readonly guard: ApiGuard;
  readonly recorder: AdminRecorder;
  readonly streams: OpenStreams;
  readonly idempotency: IdempotencyKeys;
  /** Null: found tokens are not taken here. */
  readonly found: FoundTokens | null;
  /** Notes that a token was let in. */
  used(accountId: string, tokenId: string, address: string): void;
  /** Asked for each challenge: a reload may change it. */
  realm(): string;
  readonly version: string;
  readonly log: Log;
}

export type ApiEnv = { Bindings: HttpBindings };
export type ApiContext = Context<ApiEnv>;

/**
 * Data for programs: nothing in it can run, be framed, be read from another origin, or be kept by a
 * cache.
 */
const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

/**
 * The API, with its base in all its paths. Every request takes the same way: see
 * `Requests.perform`.
 */
export function createApi(parts: ApiParts): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>().basePath(API_BASE);
  const operations = parts.found === null ? OPERATIONS : [...OPERATIONS, ...FOUND_TOKENS];
  const requests = new Requests(parts);
  const document = JSON.stringify(openApiDocument(operations, parts.version));

  app.use(async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(SECURITY_HEADERS))
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
  });
  app.get('/openapi.json', (c) => c.body(document, 200, { 'content-type': 'application/json' }));
  const page = docsPage(openApiDocument(operations, parts.version));
  app.get('/docs', (c) => c.body(page, 200, DOCS_HEADERS));
  app.get('/activity/stream', (c) => followRoute(c, parts, requests));
  for (const operation of operations) {
    app.on(operation.method.toUpperCase(), honoPath(operation.path), (c) =>
      requests.perform(c, operation),
    );
  }
  for (const [path, allow] of allowedMethods(operations))
    app.all(honoPath(path), (c) => requests.refuse(c, 'method-refused', { allow }));
  app.all('*', (c) => requests.refuse(c, 'route-unknown', {}));
  app.onError((fault, c) => requests.fault(c, fault));
  return app;
}

function honoPath(path: string): string {
  return path.replaceAll(/\{([a-z]+)\}/g, ':$1');
}

/** RFC 9110 §15.5.6: a path that exists says which methods it takes. */
function allowedMethods(operations: readonly Operation[]): ReadonlyMap<string, string> {
  const methods = new Map<string, string[]>([
    ['/openapi.json', ['GET', 'HEAD']],
    ['/docs', ['GET', 'HEAD']],
    ['/activity/stream', ['GET', 'HEAD']],
  ]);
  for (const { path, method } of operations) {
    const known = methods.get(path) ?? [];
    methods.set(path, [...known, method.toUpperCase(), ...(method === 'get' ? ['HEAD'] : [])]);
  }
  return new Map([...methods].map(([path, list]) => [path, list.join(', ')]));
}

/** The way of a request, whatever it asks for. */
export class Requests {
  readonly #parts: ApiParts;
  readonly #services: OperationServices;

  constructor(parts: ApiParts) {
    this.#parts = parts;
    this.#services = { control: parts.control, found: async (token) => parts.found?.report(token) };
  }

  async perform(c: ApiContext, operation: Operation): Promise<Response> {
    const record = this.begin(c);
    // 1. Who asks, and may they? Before anything of the request but its head is looked at.
    const admission = await this.admit(c, record, operation.needs);
    if (!admission.admitted) return this.#deny(c, record, admission);
    // 2. On record before anything is done. The change itself is written down once more, by the
    //    step that makes it.
    if (!(await record.decided('permitted', admission.known, null)))
      return this.#refused(c, record, { reason: 'audit-unavailable' });
    // 3. What is asked for, and done.
    const result = await this.#carryOut(c, record, operation, admission).catch((fault: unknown) => {
      const refused = refusedBy(fault);
      if (refused !== null) return refused;
      this.#parts.log.error('a request to the admin API failed', { path: c.req.path, fault });
      return { reason: 'internal-fault' } as const;
    });
    const response =
      'reason' in result ? this.#refused(c, record, result) : answered(record.id, result);
    if (hasLeft(c.env?.incoming)) record.left();
    else record.ended(response.status, 'reason' in result ? reasonOf(result) : 'permitted');
    return response;
  }

  begin(c: ApiContext): AdminCallRecord {
    const attached = recordOf(c.env?.incoming);
    if (attached !== null) return attached;
    const { method, path } = c.req;
    return this.#parts.recorder.begin({
      method,
      path,
      clientAddress: addressOf(c),
      userAgent: c.req.header('user-agent') ?? null,
    });
  }

  async admit(
    c: ApiContext,
    record: AdminCallRecord,
    needs: Operation['needs'],
  ): Promise<Admission> {
    const address = record.facts.clientAddress;
    if (needs === 'nobody') return this.#admitAnybody(address);
    const admission = await this.#judge(c, record, needs);
    if (admission.admitted)
      this.#parts.used(
        admission.caller.principal.account.id,
        admission.known.tokenId ?? '',
        address,
      );
    return admission;
  }

  async #judge(
    c: ApiContext,
    { facts }: AdminCallRecord,
    needs: Exclude<Operation['needs'], 'nobody'>,
  ): Promise<Admission> {
    const authorization = authorizationOf(c);
    if (authorization === undefined)
      return { admitted: false, reason: 'request-ambiguous', known: NOBODY };
    return this.#parts.guard.admit(
      authorization,
      facts.clientAddress,
      needs === 'any' ? null : needs,
    );
  }

  async #admitAnybody(address: string): Promise<Admission> {
    try {
      const retryAfterSeconds = (await this.#parts.found?.retryAfterSeconds(address)) ?? null;
      if (retryAfterSeconds !== null)
        return { admitted: false, reason: 'rate-limited', known: NOBODY, retryAfterSeconds };
      return { admitted: true, caller: NO_CALLER, known: NOBODY };
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      return { admitted: false, reason: 'registry-unavailable', known: NOBODY };
    }
  }

  async #carryOut(
    c: ApiContext,
    record: AdminCallRecord,
    operation: Operation,
    first: Admitted,
  ): Promise<Answer | Refused> {
    const params = readParams(operation, c.req.param());
    if (!params.ok) return params.refused;
    const query = readQuery(operation, c.req.url);
    if (!query.ok) return query.refused;
    const version = readIfMatch(
      operation.conditional === true ? (c.req.header('if-match') ?? null) : null,
    );
    if (!version.ok) return version.refused;
    const body = await this.#readBody(c, operation);
    if (!body.ok) return body.refused;
    // Whoever sends a body takes as long as they like, and a record may wait a second: a token that
    // was revoked meanwhile does nothing more, and a role gives what it gives now.
    const again =
      operation.method === 'get' || operation.needs === 'nobody'
        ? first
        : await this.#judge(c, record, operation.needs);
    if (!again.admitted) return { reason: again.reason };
    const { caller } = again;
    const call = {
      caller,
      params: params.value,
      query: query.value,
      body: body.value,
      version: version.value,
      signal: c.req.raw.signal,
    } as unknown as Call<never, never, never>;
    if (operation.creates === undefined) return operation.handle(this.#services, call);
    return this.#create(c, operation, call, body.text ?? '');
  }

  /** Nothing is done with a body that did not come whole, whatever of it was read. */
  async #readBody(c: ApiContext, operation: Operation): ReturnType<typeof readBody> {
    const whole = readBody(operation, c.req.raw);
    const body = await whole.catch((fault: unknown) => {
      if (bodyFaultOf(c.env.incoming) === null) throw fault;
      return null;
    });
    if (body !== null && !body.ok && body.refused.reason === 'body-too-large') return body;
    const reason = operation.body === null ? null : bodyFaultOf(c.env.incoming);
    if (reason !== null) return { ok: false, refused: { reason } };
    return body!;
  }

  /** A creation that carries a key is made once, however often it is asked for. */
  async #create(
    c: ApiContext,
    operation: Operation,
    call: Call<never, never, never>,
    body: string,
  ): Promise<Answer | Refused> {
    const key = readIdempotencyKey(c.req.header('idempotency-key') ?? null);
    if (!key.ok) return key.refused;
    if (key.value === null) return operation.handle(this.#services, call);
    const claim = this.#parts.idempotency.claim(
      call.caller.principal.account.id,
      key.value,
      `${operation.id}\n${body}`,
    );
    if (claim.claim === 'pending') return { reason: 'idempotency-pending' };
    if (claim.claim === 'mismatch') return { reason: 'idempotency-mismatch' };
    if (claim.claim === 'made') return this.#repeat(operation, call, claim.made);
    try {
      const answer = await operation.handle(this.#services, call);
      if (answer.made === undefined) claim.failed();
      else claim.done(answer.made);
      return answer;
    } catch (error) {
      claim.failed();
      throw error;
    }
  }

  async #repeat(
    operation: Operation,
    call: Call<never, never, never>,
    made: string,
  ): Promise<Answer | Refused> {
    try {
      return (
        (await operation.creates?.(this.#services, call, made)) ?? { reason: 'idempotency-spent' }
      );
    } catch (error) {
      const refused = refusedBy(error);
      if (refused?.reason === 'not-found') return { reason: 'idempotency-spent' };
      throw error;
    }
  }

  async #deny(c: ApiContext, record: AdminCallRecord, admission: Denied): Promise<Response> {
    const { reason, known, retryAfterSeconds } = admission;
    return this.deny(c, record, reason, known, retryAfterSeconds);
  }

  /** A "no" to a request as a whole: written down before it is said. */
  async deny(
    c: ApiContext,
    record: AdminCallRecord,
    reason: RefusalReason,
    known: Known,
    retryAfterSeconds?: number,
  ): Promise<Response> {
    const headers =
      retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
    const { status } = problemOf({ reason }, record.id);
    if (!(await record.decided(reason, known, status)))
      return this.#refused(c, record, { reason: 'audit-unavailable' });
    return this.#refused(c, record, { reason, headers });
  }

  /** Paths and methods that there are not. */
  async refuse(
    c: ApiContext,
    reason: 'route-unknown' | 'method-refused',
    headers: Record<string, string>,
  ): Promise<Response> {
    const record = this.begin(c);
    if (!(await record.decided(reason, NOBODY, problemOf({ reason }, record.id).status)))
      return this.#refused(c, record, { reason: 'audit-unavailable' });
    return this.#refused(c, record, { reason, headers });
  }

  fault(c: ApiContext, fault: Error): Response {
    this.#parts.log.error('a request to the admin API failed', { path: c.req.path, fault });
    return this.#refused(c, this.begin(c), { reason: 'internal-fault' });
  }

  #refused(_c: ApiContext, record: AdminCallRecord, refused: Refused): Response {
    return problemResponse(refused, record.id, this.#parts.realm());
  }

  /** For routes that answer in their own way. */
  refused(c: ApiContext, record: AdminCallRecord, refused: Refused): Response {
    return this.#refused(c, record, refused);
  }
}

type Admitted = Extract<Admission, { admitted: true }>;
type Denied = Extract<Admission, { admitted: false }>;

/** Of an operation that needs nobody; it does not look. */
const NO_CALLER = null as unknown as Admitted['caller'];

/** A "no" as an answer. */
export function problemResponse(refused: Refused, requestId: string, realm: string): Response {
  const problem: Problem = problemOf(refused, requestId);
  return new Response(`${withVisibleEscapes(JSON.stringify(problem))}\n`, {
    status: problem.status,
    headers: { 'x-request-id': requestId, ...problemHeaders(refused, realm) },
  });
}

function answered(requestId: string, { status, body, version }: Answer): Response {
  return new Response(`${withVisibleEscapes(JSON.stringify(body))}\n`, {
    status,
    headers: {
      'content-type': 'application/json',
      'x-request-id': requestId,
      ...(version === undefined ? {} : { etag: `"${version}"` }),
    },
  });
}

/**
 * Of a request that was let in at first: not any more, or a fault on our side. What was wrong with
 * the request itself is told by the status.
 */
const OUTCOMES: readonly number[] = [401, 403, 429, 500, 503];

/** The outcome in the words that audit and metrics have. */
function reasonOf({ reason }: Refused): Reason {
  if (reason === 'forbidden') return 'permission-denied';
  if (reason === 'unavailable') return 'registry-unavailable';
  return isRefusal(reason) && OUTCOMES.includes(refusalKind(reason).status) ? reason : 'permitted';
}

/** One field or none; undefined: there are two, and nobody could say which one counts. */
export function authorizationOf(c: ApiContext): string | null | undefined {
  const values = c.env.incoming.headersDistinct.authorization;
  if (values === undefined) return null;
  return values.length === 1 ? values[0] : undefined;
}

/** IPv4 in its own form, also where a socket of both families took the connection. */
export function addressOf(c: ApiContext): string {
  return plainAddress(c.env.incoming.socket.remoteAddress ?? '');
}
