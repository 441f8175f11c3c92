import { describe, expect, it } from 'vitest';
import { adminCallEvent } from '../../../src/audit/event/admin-call-event.ts';
import { CallEvents } from '../../../src/audit/event/call-event.ts';
import { chainEvent } from '../../../src/audit/event/chain-event.ts';
import { changeEvent } from '../../../src/audit/event/change-event.ts';
import { foldedEvent } from '../../../src/audit/event/folded-event.ts';
import { signInEvent } from '../../../src/audit/event/sign-in-event.ts';
import { CSV_HEADER, csvRow } from '../../../src/audit/export/csv.ts';
import { ecsDocument } from '../../../src/audit/export/ecs.ts';
import { eventWriter } from '../../../src/audit/export/formats.ts';
import { ocsfEvent } from '../../../src/audit/export/ocsf.ts';
import { DECISION, decisionLine, OUTCOME, outcomeLine } from '../../support/call-events.ts';

const events = new CallEvents('edge-a.k2J9x');
const actor = { id: 'u1', name: 'ada', kind: 'user', via: 'console' } as const;
const UNREADABLE = '{"id":"x","time":"2030-01-01T00:00:00.000Z","schema":9}';

const LINES: Readonly<Record<string, string>> = {
  decision: decisionLine(events, 1, DECISION),
  refusal: decisionLine(events, 2, { ...DECISION, reason: 'permission-denied', status: 403 }),
  nobody: decisionLine(events, 3, {
    ...DECISION,
    account: null,
    reason: 'token-unknown',
    status: 401,
    method: 'LOCK',
  }),
  outcome: outcomeLine(events, 4, OUTCOME),
  admin: adminCallEvent('edge', 5, {
    id: 'r-2',
    timeMs: 1,
    phase: 'outcome',
    reason: 'permitted',
    actor,
    claimedAccountId: null,
    tokenId: null,
    method: 'DELETE',
    path: '/api/v1/teams/x',
    status: 200,
    durationMs: 1.5,
    clientAddress: '::1',
    userAgent: null,
  }),
  change: changeEvent({
    id: 'c-1',
    timeMs: 1,
    type: 'team-deleted',
    actor,
    target: { kind: 'team', id: 't', name: 'payments' },
    before: { name: 'payments' },
    after: null,
  } as never),
  signIn: signInEvent('edge', 6, {
    id: 's-1',
    timeMs: 1,
    reason: 'password-wrong',
    account: null,
    claimedAccountId: 'AAAAAAAAAAAA',
    clientAddress: '10.0.0.1',
    userAgent: 'x',
  }),
  head: chainEvent('edge', 7, 1, {
    type: 'chain-head',
    key: '0123456789abcdef',
    signature: 'A'.repeat(86),
    chain: 'A'.repeat(43),
  } as never),
  folded: foldedEvent('call', 'edge', 'f-1', 8, 3, {
    account: null,
    clientAddress: '192.0.2.0/24',
    count: 12,
    reasons: new Map([['token-unknown', 12]]),
    firstMs: 1,
    lastMs: 2,
  }),
  unreadable: UNREADABLE,
};

describe('CSV', () => {
  it('is RFC 4180: a line for each event, as many cells as the header, quotes doubled', () => {
    const columns = CSV_HEADER.trimEnd().split(',');
    for (const line of Object.values(LINES)) {
      const row = csvRow(line);
      expect(row.endsWith('\r\n')).toBe(true);
      expect(cellsOf(row)).toHaveLength(columns.length);
    }
    const odd = decisionLine(events, 1, { ...DECISION, userAgent: 'a, "b"\nc' });
    const cells = cellsOf(csvRow(odd));
    expect(cells[columns.indexOf('userAgent')]).toBe('a, "b"\nc');
    expect(cells[columns.indexOf('route')]).toBe('deploy');
    expect(cellsOf(csvRow(UNREADABLE))[columns.indexOf('unreadable')]).toBe(UNREADABLE);
  });

  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '＝1'])(
    'never begins a cell with a formula: %j',
    (userAgent) => {
      const row = csvRow(decisionLine(events, 1, { ...DECISION, userAgent }));
      expect(cellsOf(row)[CSV_HEADER.trimEnd().split(',').indexOf('userAgent')]).toBe(
        `'${userAgent}`,
      );
    },
  );
});

/** Names of OCSF 1.6.0, https://schema.ocsf.io/1.6.0: what the classes and their objects have. */
const OCSF_BASE = [
  'activity_id activity_name category_uid category_name class_uid class_name count duration',
  'end_time enrichments message metadata observables raw_data severity severity_id start_time',
  'status status_code status_detail status_id time timezone_offset type_name type_uid unmapped',
];
const OCSF: Readonly<Record<string, readonly string[]>> = {
  6003: [
    ...OCSF_BASE,
    'actor api dst_endpoint http_request http_response resources src_endpoint trace',
  ],
  3002: [
    ...OCSF_BASE,
    'actor auth_protocol auth_protocol_id certificate dst_endpoint http_request is_cleartext is_mfa',
    'is_new_logon is_remote logon_process logon_type logon_type_id service session src_endpoint user',
  ],
  metadata: [
    'correlation_uid event_code log_name log_provider log_version logged_time original_time',
    'processed_time product profiles sequence uid version labels',
  ],
  api: ['group operation request response service token version'],
  http_request: [
    'args body_length http_headers http_method length referrer uid url user_agent version x_forwarded_for',
  ],
  http_response: ['body_length code content_type http_headers latency length message status'],
  user: ['account domain email_addr full_name groups name org type type_id uid uid_alt'],
  src_endpoint: ['hostname ip name port svc_name uid'],
};

describe('OCSF', () => {
  it.each(Object.entries(LINES))('keeps to the schema: %s', (name, line) => {
    const event = ocsfEvent(line, '1.2.3') as Record<string, unknown>;
    const uid = event.class_uid as number;
    expect(uid).toBe(name === 'signIn' ? 3002 : 6003);
    expect(unknownNames(event, OCSF[uid]!)).toEqual([]);
    for (const required of ['activity_id', 'category_uid', 'severity_id', 'time', 'type_uid'])
      expect(event[required], required).toBeTypeOf('number');
    expect(event.type_uid).toBe(uid * 100 + (event.activity_id as number));
    const inside = uid === 6003 ? ['api', 'actor', 'src_endpoint'] : ['user', 'service'];
    for (const required of [...inside, 'metadata'])
      expect(event, required).toHaveProperty(required);
    const { user } = (event.actor ?? event) as Record<string, unknown>;
    const objects = { ...event, ...(user === undefined ? {} : { user }) } as typeof event;
    for (const object of [
      'metadata',
      'api',
      'http_request',
      'http_response',
      'user',
      'src_endpoint',
    ])
      expect(unknownNames(objects[object] ?? {}, OCSF[object]!), object).toEqual([]);
    expect(event.metadata).toMatchObject({
      version: '1.6.0',
      product: { vendor_name: 'Sallyport' },
    });
    expect(JSON.stringify(event)).not.toContain('null');
  });

  it('says what was done, by whom, and how it ended', () => {
    expect(ocsfEvent(LINES.refusal!, '1')).toMatchObject({
      activity_id: 1,
      status_id: 2,
      status_code: 'permission-denied',
      actor: { user: { uid: 'a1B2c3D4e5F6', name: 'billing', type_id: 4 } },
      api: { operation: 'deploy', request: { uid: 'request-1' }, response: { code: 403 } },
      src_endpoint: { ip: '192.0.2.7' },
      time: DECISION.timeMs,
    });
    expect(ocsfEvent(LINES.change!, '1')).toMatchObject({ activity_id: 4, status_id: 1 });
    expect(ocsfEvent(LINES.signIn!, '1')).toMatchObject({ type_uid: 300201, status_id: 2 });
  });
});

/** Fields of ECS 8.17 that are used here, and the closed lists of two of them. */
const ECS = new Set(
  [
    '@timestamp message ecs.version event.kind event.dataset event.module event.provider event.id',
    'event.action event.category event.type event.outcome event.reason event.sequence event.duration',
    'event.start event.end event.original service.type service.name service.version',
    'service.node.name user.id user.name user.roles user.target.id user.target.name client.address',
    'client.ip source.address source.ip http.request.id http.request.method',
    'http.request.body.bytes http.response.status_code http.response.body.bytes url.path',
    'user_agent.original trace.id rule.name related.ip related.user',
  ].flatMap((row) => row.split(' ')),
);
const CATEGORIES = ['api', 'authentication', 'configuration', 'iam', 'web'];
const TYPES = [
  'access',
  'allowed',
  'change',
  'creation',
  'deletion',
  'denied',
  'end',
  'info',
  'start',
];

describe('ECS', () => {
  it.each(Object.entries(LINES))('keeps to the schema: %s', (_name, line) => {
    const document = ecsDocument(line, '1.2.3') as { event: Record<string, unknown> };
    const names = pathsOf(document).filter((path) => !path.startsWith('sallyport.'));
    expect(names.filter((path) => !ECS.has(path))).toEqual([]);
    expect(document).toMatchObject({ ecs: { version: '8.17.0' }, event: { kind: 'event' } });
    expect(CATEGORIES).toEqual(expect.arrayContaining(document.event.category as string[]));
    expect(TYPES).toEqual(expect.arrayContaining(document.event.type as string[]));
    expect(['success', 'failure', 'unknown']).toContain(document.event.outcome);
  });

  it('gives durations in nanoseconds, and addresses as such only', () => {
    expect(ecsDocument(LINES.admin!, '1')).toMatchObject({
      event: { duration: 1_500_000, outcome: 'success' },
      client: { ip: '::1' },
    });
    const hidden = decisionLine(events, 1, { ...DECISION, clientAddress: 'hmac:abc' });
    expect(ecsDocument(hidden, '1')).toMatchObject({ client: { address: 'hmac:abc' } });
    expect(ecsDocument(hidden, '1')).not.toHaveProperty('client.ip');
  });
});

it('writes every line as it stands as JSON Lines, also one that cannot be read', () => {
  const { header, write } = eventWriter('jsonl', '1');
  expect(header + Object.values(LINES).map(write).join('')).toBe(
    `${Object.values(LINES).join('\n')}\n`,
  );
});

function unknownNames(value: object, rows: readonly string[]): readonly string[] {
  const known = new Set(rows.flatMap((row) => row.split(' ')));
  return Object.keys(value).filter((name) => !known.has(name));
}

function pathsOf(value: object, before = ''): readonly string[] {
  return Object.entries(value).flatMap(([name, one]) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? pathsOf(one, `${before}${name}.`)
      : [`${before}${name}`],
  );
}

/** A row as a reader of RFC 4180 takes it apart. */
function cellsOf(row: string): readonly string[] {
  const cells = row.slice(0, -2).matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g);
  return [...cells].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '');
}
