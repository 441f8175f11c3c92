import { isIP } from 'node:net';
import { doerOf, type FlatEvent, flatEvent, messageOf, successOf } from './flat-event.ts';

/** Of the Elastic Common Schema, <https://www.elastic.co/docs/reference/ecs>. */
export const ECS_VERSION = '9.4.0';

/**
 * One event as a document of the Elastic Common Schema, names nested. What the schema has no field
 * for stands below `sallyport`, a name that is no field set of the schema (as its rules for custom
 * fields want).
 */
export function ecsDocument(line: string, version: string): object {
  const event = flatEvent(line);
  const doer = doerOf(event);
  return clean({
    '@timestamp': event.time,
    message: messageOf(event),
    ecs: { version: ECS_VERSION },
    event: eventOf(event),
    service: {
      type: 'sallyport',
      name: 'sallyport',
      version,
      node: { name: event.instance },
    },
    user: {
      id: doer?.id ?? undefined,
      name: doer?.name,
      roles: event.role === undefined ? undefined : [event.role],
      target: targetOf(event),
    },
    client: addressOf(event),
    source: addressOf(event),
    http: httpOf(event),
    url: { path: event.path },
    user_agent: { original: event.userAgent },
    trace: { id: event.traceId },
    rule: { name: event.route },
    related: {
      ip: isIP(event.clientAddress ?? '') === 0 ? undefined : [event.clientAddress],
      user: doer === null ? undefined : [doer.name],
    },
    sallyport: ownOf(event),
  });
}

function eventOf(event: FlatEvent) {
  const success = successOf(event);
  return {
    kind: 'event',
    dataset: 'sallyport.audit',
    module: 'sallyport',
    provider: 'sallyport',
    id: event.id,
    action: event.type,
    category: categoriesOf(event),
    type: typesOf(event),
    outcome: success === null ? 'unknown' : success ? 'success' : 'failure',
    reason: event.reason,
    sequence: event.seq,
    // Nanoseconds.
    duration: event.durationMs === undefined ? undefined : Math.round(event.durationMs * 1e6),
    start: event.firstTime,
    end: event.lastTime,
    original: event.line,
  };
}

/** Of the schema's closed list. */
function categoriesOf({ type, phase, target }: FlatEvent): readonly string[] {
  if (type === 'sign-in') return ['authentication'];
  if (phase === 'change') return [target?.kind === 'registry' ? 'configuration' : 'iam'];
  if (type === 'honey-token-presented') return ['intrusion_detection'];
  if (phase === 'chain' || phase === 'notice' || phase === 'unreadable') return ['configuration'];
  return ['api', 'web'];
}

/** Of the schema's closed list. */
function typesOf({ type, phase, decision, reason }: FlatEvent): readonly string[] {
  if (phase === 'change') {
    if (/-(?:created|issued|made)$/.test(type)) return ['creation'];
    return [type.endsWith('-deleted') ? 'deletion' : 'change'];
  }
  if (type === 'sign-in' && phase === 'sign-in') return [reason === 'signed-out' ? 'end' : 'start'];
  // Of the types `access`, `allowed` and `denied` the category `authentication` has none.
  if (type === 'sign-in') return ['info'];
  if (phase === 'decision') return ['access', decision === 'permit' ? 'allowed' : 'denied'];
  return phase === 'outcome' ? ['access', 'end'] : ['info'];
}

function targetOf({ target }: FlatEvent) {
  return target?.kind === 'account' ? { id: target.id, name: target.name } : undefined;
}

/** `ip` holds addresses only; what is kept in place of one stands in `address`. */
function addressOf({ clientAddress }: FlatEvent) {
  if (clientAddress === undefined) return undefined;
  return {
    address: clientAddress,
    ip: isIP(clientAddress) === 0 ? undefined : clientAddress,
  };
}

function httpOf({ type, method, requestId, status, requestBytes, responseBytes }: FlatEvent) {
  if (type === 'sign-in') return { response: { status_code: status } };
  return {
    request: { id: requestId, method, body: { bytes: requestBytes } },
    response: { status_code: status, body: { bytes: responseBytes } },
  };
}

function ownOf(event: FlatEvent) {
  const { phase, decision, detail, permission, permissions, application, applications } = event;
  const {
    upstream,
    upstreamStatus,
    gateMs,
    upstreamMs,
    tokenId,
    claimedAccountId,
    count,
    actor,
    target,
  } = event;
  return {
    phase,
    decision,
    detail,
    upstream,
    upstream_status: upstreamStatus,
    gate_ms: gateMs,
    upstream_ms: upstreamMs,
    permissions: permissions ?? (permission === undefined ? undefined : [permission]),
    applications: applications ?? (application === undefined ? undefined : [application]),
    token_id: tokenId,
    claimed_account_id: claimedAccountId,
    count,
    actor_via: actor?.via,
    target_kind: target?.kind,
    target_name: target?.name,
  };
}

/** Without what is undefined, and without objects that hold nothing then. */
function clean(value: object): object {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, one]) => one !== undefined && one !== null)
      .map(([name, one]) => [name, isObject(one) ? clean(one) : one])
      .filter(([, one]) => !isObject(one) || Object.keys(one as object).length > 0),
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
