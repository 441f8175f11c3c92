import { isIP } from 'node:net';
import { doerOf, type FlatEvent, flatEvent, messageOf, msOf, successOf } from './flat-event.ts';

/** Of the Open Cybersecurity Schema Framework, <https://schema.ocsf.io/1.8.0/>. */
export const OCSF_VERSION = '1.8.0';

const API_ACTIVITY = { class_uid: 6003, class_name: 'API Activity' } as const;
const AUTHENTICATION = { class_uid: 3002, class_name: 'Authentication' } as const;
const CATEGORY = {
  6003: { category_uid: 6, category_name: 'Application Activity' },
  3002: { category_uid: 3, category_name: 'Identity & Access Management' },
} as const;

const SERVICE = { name: 'Sallyport' } as const;

/** The number and the word of a value of a closed list; 99: none of them. */
type Numbered = readonly [id: number, name: string];

const BY_METHOD: Readonly<Record<string, Numbered>> = {
  POST: [1, 'Create'],
  GET: [2, 'Read'],
  HEAD: [2, 'Read'],
  OPTIONS: [2, 'Read'],
  PUT: [3, 'Update'],
  PATCH: [3, 'Update'],
  DELETE: [4, 'Delete'],
};

/** Methods that the schema knows; others stand in `unmapped`. */
const METHODS: ReadonlySet<string> = new Set([...Object.keys(BY_METHOD), ...['CONNECT', 'TRACE']]);

/** By how the word of a change ends. */
const BY_CHANGE: readonly (readonly [ending: RegExp, activity: Numbered])[] = [
  [/-(?:created|issued|made)$/, [1, 'Create']],
  [/-deleted$/, [4, 'Delete']],
];

const ACCOUNT_KINDS: Readonly<Record<string, Numbered>> = {
  user: [1, 'User'],
  operator: [2, 'Admin'],
  system: [3, 'System'],
  service: [4, 'Service'],
};

/**
 * One event as OCSF: calls, administrative calls, changes and what instances say of their own
 * record as API Activity, sign-ins as Authentication. What OCSF has no place for stands in
 * `unmapped`, under our names.
 */
export function ocsfEvent(line: string, version: string): object {
  const event = flatEvent(line);
  const isSignIn = event.type === 'sign-in';
  const kind = isSignIn ? AUTHENTICATION : API_ACTIVITY;
  const [activity_id, activity_name] = isSignIn ? signInActivity(event) : activityOf(event);
  return clean({
    ...kind,
    ...CATEGORY[kind.class_uid],
    activity_id,
    activity_name,
    type_uid: kind.class_uid * 100 + activity_id,
    type_name: `${kind.class_name}: ${activity_name}`,
    time: msOf(event),
    ...(event.count === undefined ? {} : foldedOf(event)),
    ...(event.durationMs === undefined ? {} : { duration: Math.round(event.durationMs) }),
    ...severityOf(event),
    ...statusOf(event),
    message: messageOf(event),
    metadata: metadataOf(event, version),
    src_endpoint: endpointOf(event),
    ...(isSignIn ? signInOf(event) : apiOf(event)),
    unmapped: unmappedOf(event),
  });
}

function activityOf({ phase, method, type }: FlatEvent): Numbered {
  const other: Numbered = [99, 'Other'];
  if (phase !== 'change') return BY_METHOD[method ?? ''] ?? other;
  return BY_CHANGE.find(([ending]) => ending.test(type))?.[1] ?? [3, 'Update'];
}

function signInActivity({ reason }: FlatEvent): Numbered {
  return reason === 'signed-out' ? [2, 'Logoff'] : [1, 'Logon'];
}

/** Whoever was to be let in: as it proved, or was named without proof. */
function signInOf(event: FlatEvent) {
  const { claimedAccountId, method, status } = event;
  const isNamed = doerOf(event) === null && claimedAccountId !== undefined;
  return {
    user: isNamed ? { uid: claimedAccountId, type_id: 1, type: 'User' } : userOf(event),
    service: SERVICE,
    is_remote: true,
    ...(method === 'oidc' ? { auth_protocol_id: 4, auth_protocol: 'OpenID' } : {}),
    http_response: status === undefined ? undefined : { code: status },
  };
}

function foldedOf({ count, firstTime = '', lastTime = '' }: FlatEvent) {
  return { count, start_time: Date.parse(firstTime), end_time: Date.parse(lastTime) };
}

/** What was refused is worth a look; what was lost is worse. */
function severityOf({ decision, type, phase }: FlatEvent) {
  if (type === 'events-lost' || phase === 'unreadable')
    return { severity_id: 3, severity: 'Medium' };
  return decision === 'refusal'
    ? { severity_id: 2, severity: 'Low' }
    : { severity_id: 1, severity: 'Informational' };
}

function statusOf(event: FlatEvent) {
  const success = successOf(event);
  const code = event.reason === undefined ? {} : { status_code: event.reason };
  const detail = event.detail === undefined ? {} : { status_detail: event.detail };
  if (success === null) return { status_id: 0, status: 'Unknown', ...code, ...detail };
  return success
    ? { status_id: 1, status: 'Success', ...code, ...detail }
    : { status_id: 2, status: 'Failure', ...code, ...detail };
}

function metadataOf(event: FlatEvent, version: string) {
  const { id, phase, time, type, seq, requestId, instance } = event;
  return {
    version: OCSF_VERSION,
    product: { name: SERVICE.name, vendor_name: SERVICE.name, version },
    reporter: instance === undefined ? undefined : { uid: instance },
    log_name: 'audit',
    // A decision and its outcome have one id.
    uid: `${id}/${phase}`,
    correlation_uid: requestId,
    event_code: type,
    original_time: time,
    sequence: seq,
  };
}

function endpointOf({ clientAddress, actor }: FlatEvent) {
  if (clientAddress === undefined) return { svc_name: actor?.via ?? SERVICE.name };
  // What is kept in place of an address is none.
  return isIP(clientAddress) === 0 ? { name: clientAddress } : { ip: clientAddress };
}

function userOf(event: FlatEvent) {
  const doer = doerOf(event);
  if (doer === null) return { name: 'unknown', type_id: 0, type: 'Unknown' };
  const [type_id, type] = ACCOUNT_KINDS[doer.kind] ?? [99, 'Other'];
  return { uid: doer.id, name: doer.name, type_id, type };
}

function apiOf(event: FlatEvent) {
  const { type, method, path, requestId, status, reason, userAgent } = event;
  const isCall = type === 'call' || type === 'admin-call';
  const doer = doerOf(event);
  return {
    actor: doer === null && !isCall ? { app_name: SERVICE.name } : { user: userOf(event) },
    api: {
      operation: isCall ? (event.route ?? `${method ?? '-'} ${path ?? '-'}`) : type,
      service: { name: event.upstream ?? SERVICE.name },
      request: requestId === undefined ? undefined : { uid: requestId },
      response: status === undefined ? undefined : { code: status, message: reason },
    },
    http_request:
      method === undefined && path === undefined
        ? undefined
        : {
            uid: requestId,
            http_method: METHODS.has(method ?? '') ? method : undefined,
            url: path === undefined ? undefined : { path },
            user_agent: userAgent,
          },
    http_response:
      status === undefined ? undefined : { code: status, body_length: event.responseBytes },
    resources: resourcesOf(event),
  };
}

function resourcesOf({ target, application, applications }: FlatEvent) {
  if (target !== undefined) return [{ uid: target.id, name: target.name, type: target.kind }];
  const names = applications ?? (application === undefined ? [] : [application]);
  return names.length === 0 ? undefined : names.map((name) => ({ name, type: 'application' }));
}

function unmappedOf(event: FlatEvent) {
  const { phase, decision, role, permission, permissions, tokenId, claimedAccountId } = event;
  const { type, method, actor, upstreamStatus, requestBytes, traceId, line } = event;
  const { gateMs, upstreamMs } = event;
  const named = { phase, decision, role, permission, permissions, tokenId, claimedAccountId };
  const isKnown = type === 'sign-in' || METHODS.has(method ?? '');
  const other = { actorVia: actor?.via, method: isKnown ? undefined : method };
  return { ...named, ...other, upstreamStatus, gateMs, upstreamMs, requestBytes, traceId, line };
}

/** Without what is undefined or null, on every level. */
function clean(value: unknown): object {
  return JSON.parse(JSON.stringify(value, (_name, one) => one ?? undefined)) as object;
}
