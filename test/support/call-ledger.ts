import { REFUSALS, type RefusalReason, refusalKind } from '../../src/refusal.ts';
import type { AuditEvent } from './gateway.ts';
import { readResponse, statusOf, valuesOf } from './http-bytes.ts';
import type { RawClient } from './raw-client.ts';
import type { RecordedConnection } from './raw-upstream.ts';

/**
 * Joins what clients saw, what upstreams saw and what was recorded, and holds the three against
 * each other. Run after every test about calls: whatever else a test is about, these hold.
 */
export interface Ledger {
  /** Each with the methods of its requests, in order; GET where nothing is said. */
  readonly clients: readonly {
    readonly connection: RawClient;
    readonly methods: readonly string[];
  }[];
  readonly upstreams: readonly { readonly connections: readonly RecordedConnection[] }[];
  /** All events of the gates, in any order. */
  readonly events: readonly AuditEvent[];
  /**
   * Requests that had no audit log to be recorded in may be without a record if their answer says
   * so.
   */
  readonly auditWasAway?: boolean;
}

/** A whole answer as a client saw it. */
export interface SeenAnswer {
  readonly requestId: string;
  readonly status: number;
  readonly body: Buffer;
  /** The stable reason of a refusal; null for everything else. */
  readonly reason: string | null;
}

/**
 * Every way in which the three do not agree, as sentences; empty when all is well. Requests to the
 * admin listener are no calls, and stay out.
 */
export function faultsOf(ledger: Ledger): string[] {
  const calls = ledger.events.filter(
    ({ phase, type }) => type !== 'admin-call' && (phase === 'decision' || phase === 'outcome'),
  );
  return [
    ...decisionFaults(calls),
    ...answerFaults(ledger, calls),
    ...upstreamFaults(ledger, calls),
    ...numberFaults(ledger),
  ];
}

/** All whole answers, interim ones left out. What a client got in part is no answer. */
export function answersOf({ clients }: Pick<Ledger, 'clients'>): SeenAnswer[] {
  return clients.flatMap(({ connection, methods }) => {
    const answers: SeenAnswer[] = [];
    for (let offset = 0; offset < connection.bytes.length; ) {
      const method = methods[answers.length] ?? 'GET';
      const reading = readResponse(connection.bytes, {
        offset,
        method,
        closed: connection.closed === 'end',
      });
      if (reading.state !== 'complete') break;
      offset = reading.message.end;
      const status = statusOf(reading.message);
      if (status < 200) continue;
      const { body } = reading.message;
      answers.push({
        requestId: valuesOf(reading.message, 'x-request-id')[0] ?? '',
        status,
        body,
        reason: reasonIn(body),
      });
    }
    return answers;
  });
}

function reasonIn(body: Buffer): string | null {
  try {
    const { reason, Errors } = JSON.parse(body.toString()) as {
      reason?: string;
      Errors?: readonly string[];
    };
    return reason ?? /\(([a-z-]+), request /.exec(Errors?.[0] ?? '')?.[1] ?? null;
  } catch {
    return null;
  }
}

/** As callers are told it: they do not learn what is wrong with a token. */
function shown(reason: string | undefined): string | undefined {
  if (reason === undefined || !Object.hasOwn(REFUSALS, reason)) return reason;
  return refusalKind(reason as RefusalReason).publicReason ?? reason;
}

/**
 * One decision per request; one outcome per permit, none for a refusal that its caller got as it
 * was decided.
 */
function decisionFaults(calls: readonly AuditEvent[]): string[] {
  const faults: string[] = [];
  const byId = Map.groupBy(calls, (event) => event.id);
  for (const [id, events] of byId) {
    const decisions = events.filter((event) => event.phase === 'decision');
    const outcomes = events.filter((event) => event.phase === 'outcome');
    const permitted = decisions[0]?.decision === 'permit';
    // What comes of it, whoever asked knows.
    const ends = permitted && decisions[0]?.door !== 'decision';
    if (decisions.length !== 1) faults.push(`${id}: ${decisions.length} decisions`);
    const superfluous = !permitted && outcomes[0]?.reason === decisions[0]?.reason;
    if (outcomes.length > 1 || (ends ? outcomes.length === 0 : superfluous && outcomes[0]))
      faults.push(`${id}: ${outcomes.length} outcomes of a ${decisions[0]?.decision}`);
    for (const outcome of outcomes) {
      faults.push(...timeFaults(outcome));
      const { requestBytes, responseBytes, durationMs } = outcome;
      if (
        ![requestBytes, responseBytes, durationMs].every(
          (value) => typeof value === 'number' && value >= 0,
        )
      )
        faults.push(`${id}: an outcome without its numbers`);
    }
  }
  return faults;
}

/** Whatever the upstream has responded to was given to it, and took no longer in parts. */
function timeFaults(outcome: AuditEvent): string[] {
  const { id, upstreamStatus, durationMs, gateMs, upstreamMs } = outcome;
  if (upstreamStatus === undefined) return [];
  if (![gateMs, upstreamMs].every((ms) => typeof ms === 'number' && ms >= 0))
    return [`${id}: nobody knows whose time it was`];
  const parts = Number(gateMs) + Number(upstreamMs);
  // What came before the whole request was given to it took none of its time.
  if (Number(upstreamMs) === 0 || parts <= Number(durationMs) + 0.01) return [];
  return [`${id}: its parts took ${parts} ms, and all of it ${durationMs}`];
}

/**
 * No answer without its record, and none that says something else than the record, or that belongs
 * to another request.
 */
function answerFaults(ledger: Ledger, calls: readonly AuditEvent[]): string[] {
  const faults: string[] = [];
  const seen = new Set<string>();
  for (const answer of answersOf(ledger)) {
    const { requestId, status, body, reason } = answer;
    const of = (phase: string) =>
      calls.find((event) => event.id === requestId && event.phase === phase);
    const decision = of('decision');
    const outcome = of('outcome');
    const name = `the answer ${status} to ${requestId || 'nobody'}`;
    if (seen.has(requestId)) faults.push(`${name} came twice`);
    seen.add(requestId);
    if (decision === undefined) {
      if (!(ledger.auditWasAway && reason === 'audit-unavailable'))
        faults.push(`${name} has no decision`);
      continue;
    }
    const last = outcome ?? decision;
    if (decision.decision === 'refusal' && last.status !== status)
      faults.push(`${name} is recorded as ${last.reason} ${last.status}`);
    if (decision.decision === 'permit' && outcome?.status !== status)
      faults.push(`${name} is recorded with the outcome ${outcome?.reason} ${outcome?.status}`);
    if (outcome !== undefined && reason === null && outcome.responseBytes !== body.length)
      faults.push(`${name} has ${body.length} bytes, its record ${outcome.responseBytes}`);
    if (outcome !== undefined && reason !== null && shown(outcome.reason) !== reason)
      faults.push(`${name} says ${reason}, its record ${outcome.reason}`);
    const owner = /^for (\S+)/.exec(body.toString('latin1', 0, 80))?.[1];
    if (owner !== undefined && owner !== requestId)
      faults.push(`${name} is the upstream's answer to ${owner}`);
  }
  return faults;
}

/** Nothing reaches an upstream but what was permitted, as the account it was permitted for. */
function upstreamFaults(ledger: Ledger, calls: readonly AuditEvent[]): string[] {
  const faults: string[] = [];
  for (const connection of ledger.upstreams.flatMap((upstream) => upstream.connections)) {
    if (connection.fault !== null) faults.push(`an upstream was sent ${connection.fault}`);
    const heads =
      connection.bytes
        .toString('latin1')
        .match(/[A-Z]+ \/\S* HTTP\/1\.1\r\n(?:[^\r\n]+\r\n)*\r\n/g) ?? [];
    for (const head of heads) faults.push(...headFaults(head, calls));
    if (connection.requests.length > heads.length)
      faults.push('an upstream counted requests that have no head');
  }
  return faults;
}

function headFaults(head: string, calls: readonly AuditEvent[]): string[] {
  const values = (name: string) =>
    [...head.matchAll(new RegExp(`^${name}: (.*)\\r$`, 'gim'))].map((match) => match[1]!);
  const [id = '', ...more] = values('x-request-id');
  const decision = calls.find((event) => event.id === id && event.phase === 'decision');
  const what = `the request ${id} at an upstream`;
  const faults: string[] = [];
  if (more.length > 0) faults.push(`${what} has several ids`);
  if (decision?.decision !== 'permit')
    faults.push(`${what} has no permit, but ${decision?.reason ?? 'no decision'}`);
  if (values('authorization').length > 0) faults.push(`${what} carries a credential`);
  const account = decision?.account as { id: string; name: string } | null | undefined;
  for (const [name, value] of [
    ['x-account-id', account?.id],
    ['x-account-name', account?.name],
  ] as const) {
    const found = values(name);
    if (found.join() !== (value ?? ''))
      faults.push(`${what} carries ${name} ${JSON.stringify(found)} instead of ${value}`);
  }
  return faults;
}

/** Per instance, numbers without a hole and without a repetition. */
function numberFaults({ events, auditWasAway }: Ledger): string[] {
  const numbered = events.filter(
    (event) => typeof event.instance === 'string' && event.phase !== 'change',
  );
  const faults: string[] = [];
  for (const [instance, own] of Map.groupBy(numbered, (event) => event.instance)) {
    const numbers = own.map((event) => event.seq).sort((a, b) => a - b);
    const hole = numbers.find((number, index) => index > 0 && number !== numbers[index - 1]! + 1);
    if (hole !== undefined && !auditWasAway)
      faults.push(`${instance}: the events before number ${hole} are not what they should be`);
  }
  return faults;
}
