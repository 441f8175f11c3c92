import type { Account } from '../../account/model.ts';
import {
  type AdminCallFacts,
  actorText,
  adminCallEvent,
  askedFor,
} from '../../audit/event/admin-call-event.ts';
import type { AccountFacts } from '../../audit/event/call-facts.ts';
import type { Actor } from '../../audit/event/change-event.ts';
import type { HoneyTokens } from '../../audit/notices/honey-tokens.ts';
import { permitText } from '../../audit/permits/notes.ts';
import type { OpenPermit } from '../../audit/permits/open-permits.ts';
import type { AcceptanceWaiter, Outbox, Taken } from '../../audit/port.ts';
import {
  type AdmissionServices,
  type DecisionWriter,
  recordDecision,
} from '../../calls/admission.ts';
import type { Clock } from '../../clock.ts';
import { REFUSALS, type Reason } from '../../refusal.ts';
import type { AccessFacts, AccessMeasure } from '../../telemetry/access/line.ts';
import type { AccessLog } from '../../telemetry/access/log.ts';

export interface RecorderOptions extends AdmissionServices {
  readonly outbox: Outbox;
  readonly instance: string;
  readonly clock: Clock;
  readonly nextRequestId: () => string;
  /** Tells of honey tokens that are presented. */
  readonly honey: Pick<HoneyTokens, 'presented'>;
  /** What the record says of a client's address; null = nothing. */
  readonly recordedAddress: (address: string) => string | null;
  /** Has a line of each request, beside the record; null: there is none. */
  readonly accessLog: AccessLog | null;
}

/** Whose request it is, as far as that is known. */
export interface Known {
  readonly actor: Actor | null;
  readonly claimedAccountId: string | null;
  readonly tokenId: string | null;
  /** The bait whose token was shown; null: none was. */
  readonly honey: Account | null;
}

const AUDIT_AWAY = {
  reason: 'audit-unavailable',
  status: REFUSALS['audit-unavailable'].status,
} as const;

/** What is known of calls through the gate alone. */
const UNMEASURED = {
  route: null,
  upstreamMs: null,
  requestBytes: null,
  responseBytes: null,
} as const satisfies Partial<AccessMeasure>;

export const NOBODY: Known = {
  actor: null,
  claimedAccountId: null,
  tokenId: null,
  honey: null,
};

export interface RequestFacts {
  /** Null: what came could not be read as a request. */
  readonly method: string | null;
  readonly path: string | null;
  readonly clientAddress: string;
  readonly userAgent: string | null;
}

const RECORDS = new WeakMap<object, AdminCallRecord>();

/** Ties a record to the request that it is about. */
export function attachRecord(request: object, record: AdminCallRecord): void {
  RECORDS.set(request, record);
}

/** The record of a request; null where nobody records. */
export function recordOf(request: object | undefined): AdminCallRecord | null {
  return request === undefined ? null : (RECORDS.get(request) ?? null);
}

/**
 * Writes down requests to the administration: a decision before anything is done, an outcome after.
 */
export class AdminRecorder {
  readonly #options: RecorderOptions;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  begin(facts: RequestFacts): AdminCallRecord {
    return new AdminCallRecord(this.#options, facts);
  }
}

/** Null: nobody, or whoever acts with the store itself. */
function accountOf({ actor }: Known): AccountFacts | null {
  if (actor === null || actor.id === null) return null;
  const { id, name, kind } = actor;
  return kind === 'service' || kind === 'user' ? { id, name, kind } : null;
}

/** What was decided, and the status that says so; null for what was let in. */
interface AdminVerdict {
  readonly reason: Reason;
  readonly status: number | null;
}

/** One request. */
export class AdminCallRecord implements OpenPermit, DecisionWriter<AdminVerdict> {
  readonly id: string;
  readonly facts: RequestFacts;
  readonly #options: RecorderOptions;
  readonly #startedMs: number;
  #known: Known = NOBODY;
  #permitted = false;
  #decided = false;
  /** What was let in is counted, or its outcome is written. */
  #over = false;
  /** The access log has its line. */
  #isLogged = false;
  place = -1;
  batch = -1;
  readonly traceId = null;
  /** Nothing is shared with other requests: `describe` says it all. */
  readonly caller = null;
  readonly route = null;
  readonly application = null;
  /** Its response is a stream, which tells of its end itself (`ended`). */
  streams = false;

  constructor(options: RecorderOptions, facts: RequestFacts) {
    this.#options = options;
    this.facts = facts;
    this.id = options.nextRequestId();
    this.#startedMs = options.clock.monotonicMs();
  }

  /** Whether a verdict has been reached. */
  get isDecided(): boolean {
    return this.#decided;
  }

  /**
   * Resolves when the record is safe, as far as the configuration asks for that; false: it could
   * not be made safe, so nothing may be done. Of a flood of refusals or of reads the verdict is
   * counted, and nothing is waited for.
   */
  async decided(reason: Reason, known: Known, status: number | null): Promise<boolean> {
    this.#decided = true;
    this.#known = known;
    this.#permitted = reason === 'permitted';
    const isRecorded = await this.#recorded(reason, status);
    if (known.honey !== null) this.#honey(known.honey, known.tokenId);
    if (!isRecorded) this.#log(AUDIT_AWAY.status, AUDIT_AWAY.reason);
    else if (!this.#permitted) this.#log(status, reason);
    return isRecorded;
  }

  #honey(bait: Account, tokenId: string | null): void {
    const { honey, recordedAddress } = this.#options;
    const { clientAddress, userAgent } = this.facts;
    const { method = null, path = null } = askedFor(this.facts);
    honey.presented({
      method,
      path,
      bait,
      tokenId: tokenId ?? '',
      clientAddress: recordedAddress(clientAddress),
      door: 'admin',
      userAgent,
      requestId: this.id,
    });
  }

  #recorded(reason: Reason, status: number | null): Promise<boolean> {
    return new Promise((resolve) => {
      const waiter: AcceptanceWaiter = {
        accepted: () => resolve(true),
        notAccepted: () => {
          // It may still be recorded, as something that was not what the caller got.
          this.#end(AUDIT_AWAY.status, AUDIT_AWAY.reason);
          resolve(false);
        },
      };
      const standing = recordDecision(this.#options, this, { reason, status }, waiter, false);
      if (standing === 'counted') this.#over = true;
      if (standing === 'counted' || standing === 'recorded') resolve(true);
    });
  }

  isOneOfFlood({ reason }: AdminVerdict, floods: RecorderOptions['floods']): boolean {
    const { method, clientAddress } = this.facts;
    const reads = method === 'GET' || method === 'HEAD';
    if (reason === 'permitted' && !reads) return false;
    return floods.folds(clientAddress, reason, accountOf(this.#known));
  }

  decision({ reason, status }: AdminVerdict, waiter: AcceptanceWaiter | null): Taken {
    const facts = { ...this.#facts(reason, status), phase: 'decision', durationMs: null } as const;
    const { outbox, instance } = this.#options;
    const account = this.#known.actor?.id ?? null;
    const taken = outbox.record((seq) => adminCallEvent(instance, seq, facts), account, waiter);
    // What has no decision has no outcome; what was permitted is open until it has one.
    if (taken === 'no-room') this.#over = true;
    else if (this.#permitted) outbox.permits.add(this);
    return taken;
  }

  /** All that its outcome says. */
  describe(): string {
    const { actor } = this.#known;
    return permitText({
      type: 'admin-call',
      account: accountOf(this.#known),
      actor: actor === null ? undefined : actorText(actor),
      ...askedFor(this.facts),
    });
  }

  /** How a request that was let in ended. Told more than once, the first time counts. */
  ended(status: number, reason: Reason): void {
    if (this.#permitted) this.#end(status, reason);
    this.#log(status, reason);
  }

  /** The caller has gone before there was a response. */
  left(): void {
    if (this.#permitted) this.#end(null, 'client-aborted');
    this.#log(null, 'client-aborted');
  }

  #end(status: number | null, reason: Reason): void {
    if (this.#over) return;
    this.#over = true;
    const durationMs = this.#options.clock.monotonicMs() - this.#startedMs;
    const facts = { ...this.#facts(reason, status), phase: 'outcome', durationMs } as const;
    const { outbox, instance } = this.#options;
    const account = this.#known.actor?.id ?? null;
    outbox.recordEnd((seq) => adminCallEvent(instance, seq, facts), account);
    outbox.permits.remove(this);
  }

  /** One line, when it is over. @param status null: nothing was said */
  #log(status: number | null, reason: Reason): void {
    const { accessLog, clock } = this.#options;
    if (accessLog === null || this.#isLogged) return;
    this.#isLogged = true;
    const durationMs = clock.monotonicMs() - this.#startedMs;
    accessLog.write(this.#accessFacts(), {
      ...UNMEASURED,
      status: status ?? 0,
      reason,
      durationMs,
      overheadMs: durationMs,
      account: this.#known.actor?.name ?? null,
    });
  }

  #accessFacts(): AccessFacts {
    const { method, path } = askedFor(this.facts);
    return {
      id: this.id,
      traceId: null,
      clientAddress: this.#options.recordedAddress(this.facts.clientAddress),
      method: method ?? null,
      path: path ?? null,
      door: 'admin',
      version: null,
      userAgent: this.facts.userAgent,
      upstreamStatus: null,
    };
  }

  #facts(reason: Reason, status: number | null): Omit<AdminCallFacts, 'phase' | 'durationMs'> {
    return {
      id: this.id,
      timeMs: this.#options.clock.wallMs(),
      reason,
      status,
      ...this.#known,
      ...this.facts,
      clientAddress: this.#options.recordedAddress(this.facts.clientAddress),
    };
  }
}
