import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { plainAddress } from '../../http/ip-address.ts';
import type { RefusalReason } from '../../refusal.ts';
import { StoreUnavailable } from '../../store/fault.ts';
import type { Log } from '../../telemetry/log.ts';
import { shownCertificate } from '../../tls/client-certificate.ts';
import type { Control } from '../control.ts';
import { mustBeWhole } from '../lists-csv.ts';
import type { FoundTokens } from './found-tokens.ts';
import type { Admission, ApiGuard } from './guard.ts';
import type { IdempotencyKeys } from './idempotency.ts';
import { readBody, readIdempotencyKey, readIfMatch, readParams, readQuery } from './input.ts';
import type { Call, Operation, OperationResult, OperationServices } from './operation.ts';
import { problemOf, type Refused, refusedBy } from './problem.ts';
import {
  type AdminCallRecord,
  type AdminRecorder,
  type Known,
  NOBODY,
  recordOf,
} from './recorder.ts';
import {
  type ListForm,
  listResponse,
  problemResponse,
  reasonOf,
  responseOf,
  wantedForm,
} from './responses.ts';
import type { OpenStreams } from './streams.ts';
import { bodyFaultOf, hasLeft } from './unfinished.ts';

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
  /** The JWK set of the assertions; undefined: there are none. Null: it cannot be told now. */
  keySet(): string | null | undefined;
  readonly log: Log;
}

export type ApiEnv = { Bindings: HttpBindings };

export type ApiContext = Context<ApiEnv>;

/** The way of a request, the same for every operation. */
export class Requests {
  readonly #parts: ApiParts;
  readonly #services: OperationServices;

  constructor(parts: ApiParts) {
    this.#parts = parts;
    this.#services = { control: parts.control, found: async (token) => parts.found?.report(token) };
  }

  async perform(c: ApiContext, operation: Operation): Promise<Response> {
    const record = this.begin(c);
    // 1. Who is the caller, and may they? Before anything of the request but its head is read.
    const admission = await this.admit(c, record, operation.needs);
    if (!admission.admitted) return this.#deny(c, record, admission);
    // 2. On record before anything is done. The change itself is written down once more, by the
    //    step that makes it.
    if (!(await record.decided('permitted', admission.known, null)))
      return this.#refused(c, record, { reason: 'audit-unavailable' });
    // 3. The operation itself.
    const result = await this.#carryOut(c, record, operation, admission).catch((fault: unknown) => {
      const refused = refusedBy(fault);
      if (refused !== null) return refused;
      this.#parts.log.error('a request to the admin API failed', { path: c.req.path, fault });
      return { reason: 'internal-fault' } as const;
    });
    const response =
      'reason' in result
        ? this.#refused(c, record, result)
        : answerOf(c, record.id, operation, result);
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
      {
        address: facts.clientAddress,
        certificate: shownCertificate(c.env.incoming.socket),
      },
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
  ): Promise<OperationResult | Refused> {
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
    // A caller sends a body as slowly as they like, and a record may wait a second: a token that
    // was revoked meanwhile does nothing more, and a role gives what it gives now.
    const again =
      operation.method === 'get' || operation.needs === 'nobody'
        ? first
        : await this.#judge(c, record, operation.needs);
    if (!again.admitted) return { reason: again.reason };
    const { caller } = again;
    const call = {
      caller: caller === NO_CALLER ? caller : whoMayLeave(caller, c.req.raw.signal),
      params: params.value,
      query: query.value,
      body: body.value,
      version: version.value,
    } as unknown as Call<never, never, never>;
    if (operation.creates === undefined) {
      const result = await operation.handle(this.#services, call);
      if (formOf(c, operation) !== null && 'body' in result) mustBeWhole(Object(result.body));
      return result;
    }
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
  ): Promise<OperationResult | Refused> {
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
      const result = await operation.handle(this.#services, call);
      if (result.made === undefined) claim.failed();
      else claim.done(result.made);
      return result;
    } catch (error) {
      claim.failed();
      throw error;
    }
  }

  async #repeat(
    operation: Operation,
    call: Call<never, never, never>,
    made: string,
  ): Promise<OperationResult | Refused> {
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
    const { reason, known, ...more } = admission;
    return this.deny(c, record, reason, known, more);
  }

  /** A "no" to a request as a whole: written down before it is said. */
  async deny(
    c: ApiContext,
    record: AdminCallRecord,
    reason: RefusalReason,
    known: Known,
    { detail, retryAfterSeconds }: Pick<Denied, 'detail' | 'retryAfterSeconds'> = {},
  ): Promise<Response> {
    const headers =
      retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
    const { status } = problemOf({ reason }, record.id);
    if (!(await record.decided(reason, known, status)))
      return this.#refused(c, record, { reason: 'audit-unavailable' });
    const said = detail === undefined ? {} : { detail };
    return this.#refused(c, record, { reason, headers, ...said });
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

  /** For routes that write their responses themselves. */
  refused(c: ApiContext, record: AdminCallRecord, refused: Refused): Response {
    return this.#refused(c, record, refused);
  }
}

function answerOf(
  c: ApiContext,
  requestId: string,
  operation: Operation,
  result: OperationResult,
): Response {
  const { csv } = operation;
  const form = formOf(c, operation);
  return csv === undefined || form === null
    ? responseOf(requestId, result)
    : listResponse(requestId, csv, form, result, c.req.url);
}

function formOf(c: ApiContext, { csv }: Operation): ListForm | null {
  return csv === undefined ? null : wantedForm(c.req.header('accept') ?? null);
}

type Admitted = Extract<Admission, { admitted: true }>;

type Denied = Extract<Admission, { admitted: false }>;

/** Of an operation that needs nobody; it does not look. */
const NO_CALLER = null as unknown as Admitted['caller'];

function whoMayLeave(caller: Admitted['caller'], left: AbortSignal): Admitted['caller'] {
  return { ...caller, actor: { ...caller.actor, left } };
}

/** One field or none; undefined: there are two, and nobody could say which one counts. */
function authorizationOf(c: ApiContext): string | null | undefined {
  const values = c.env.incoming.headersDistinct.authorization;
  if (values === undefined) return null;
  return values.length === 1 ? values[0] : undefined;
}

/** IPv4 in its own form, also where a socket of both families took the connection. */
function addressOf(c: ApiContext): string {
  return plainAddress(c.env.incoming.socket.remoteAddress ?? '');
}
