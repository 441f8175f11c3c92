import { isIP } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ECS_VERSION, ecsDocument } from '../../../src/audit/export/ecs.ts';
import { OCSF_VERSION, ocsfEvent } from '../../../src/audit/export/ocsf.ts';
import { EVENTS, LINES } from '../../support/audit-lines.ts';
import { DECISION, decisionLine } from '../../support/call-events.ts';
import { ECS, ECS_NEEDED, ECS_TYPES } from '../../support/ecs-table.ts';
import { OCSF } from '../../support/ocsf-table.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What is wrong with an object of that kind, by where it is. */
function faultsOf(kind: string, value: Fields, at = kind): readonly string[] {
  const { attributes, atLeastOne = [] } = OCSF[kind]!;
  const known = new Map(attributes.map((row) => [/^\w+/.exec(row)![0], row.split(' ')]));
  const faults = Object.entries(value).flatMap(([name, one]) => {
    const row = known.get(name);
    return row === undefined ? [`${at}.${name} is not of ${kind}`] : attribute(row, one, at, value);
  });
  for (const [name, [first = '']] of known)
    if (first.includes('!') && value[name] === undefined) faults.push(`${at}.${name} is missing`);
  if (atLeastOne.length > 0 && !atLeastOne.some((name) => value[name] !== undefined))
    faults.push(`${at} has none of ${atLeastOne.join(', ')}`);
  return faults;
}

function attribute(
  [first = '', type = '', ...values]: readonly string[],
  value: unknown,
  at: string,
  beside: Fields,
): readonly string[] {
  const name = first.replace(/[![\]]+$/, '');
  const path = `${at}.${name}`;
  if (first.endsWith('[]'))
    return Array.isArray(value)
      ? value.flatMap((one, n) => typed(type, one, `${path}[${n}]`))
      : [`${path} is no list`];
  const faults = [...typed(type, value, path)];
  if (values.length === 0) return faults;
  const found = values.find((one) => one.split('=')[0] === String(value));
  if (found === undefined) return [...faults, `${path}: ${String(value)} is not in the list`];
  const caption = found.split('=')[1]?.replaceAll('_', ' ');
  const said =
    beside[name.replace(/_id$/, name === 'activity_id' ? '_name' : '').replace(/_uid$/, '_name')];
  if (caption !== undefined && caption !== '*' && said !== caption)
    faults.push(`${path}: ${String(value)} is ${caption}, and not ${String(said)}`);
  return faults;
}

function typed(type: string, value: unknown, path: string): readonly string[] {
  if (type === 'any') return [];
  if (OCSF[type] !== undefined) return faultsOf(type, value as Fields, path);
  const right = {
    string: typeof value === 'string' && value !== '',
    boolean: typeof value === 'boolean',
    ip: typeof value === 'string' && isIP(value) !== 0,
  }[type];
  const isNumber = ['integer', 'long', 'timestamp'].includes(type);
  return (right ?? (isNumber && Number.isSafeInteger(value))) ? [] : [`${path} is no ${type}`];
}

describe('OCSF', () => {
  it.each(Object.entries(LINES))(
    'has what the schema wants, and nothing else: %s',
    (name, line) => {
      const event = ocsfEvent(line, '1.2.3') as Fields;
      const uid = String(event.class_uid);
      const signIns = ['signIn', 'oidc', 'signedOut', 'signInOutcome'];
      expect(uid).toBe(signIns.includes(name) ? '3002' : '6003');
      expect(faultsOf(uid, event)).toEqual([]);
      expect(event.type_uid).toBe(Number(uid) * 100 + Number(event.activity_id));
      expect(event.type_name).toBe(`${event.class_name}: ${event.activity_name}`);
      expect(event.metadata).toMatchObject({ version: OCSF_VERSION });
      if (event.count !== undefined)
        expect([event.start_time, event.end_time]).toEqual([
          expect.any(Number),
          expect.any(Number),
        ]);
      expect(JSON.stringify(event)).not.toMatch(/null|\{\}/);
    },
  );

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
    expect(ocsfEvent(LINES.signIn!, '1')).toMatchObject({
      type_uid: 300201,
      status_id: 2,
      user: { uid: 'AAAAAAAAAAAA' },
    });
    expect(ocsfEvent(LINES.oidc!, '1')).toMatchObject({ auth_protocol_id: 4, status_id: 1 });
    expect(ocsfEvent(LINES.signedOut!, '1')).toMatchObject({ type_uid: 300202 });
    expect(ocsfEvent(LINES.signInOutcome!, '1')).toMatchObject({
      status_id: 2,
      src_endpoint: { name: '10.0.0.0/24' },
      http_response: { code: 503 },
    });
  });

  it('keeps what it has no place for', () => {
    const odd = ocsfEvent(LINES.withoutPath!, '1') as Fields;
    expect(odd).toMatchObject({ unmapped: { method: 'PURGE' } });
    expect(odd).not.toHaveProperty('http_request.http_method');
    expect(odd).not.toHaveProperty('http_request.url');
    expect(ocsfEvent(LINES.admin!, '1')).toMatchObject({ unmapped: { actorVia: 'console' } });
  });
});

describe('ECS', () => {
  it.each(Object.entries(LINES))('has what the schema knows, as it wants it: %s', (_name, line) => {
    const document = ecsDocument(line, '1.2.3');
    const fields = new Map(pathsOf(document).filter(([path]) => !path.startsWith('sallyport.')));
    for (const needed of ECS_NEEDED) expect(fields.has(needed), needed).toBe(true);
    for (const [path, value] of fields) {
      const [type = '', ...values] = (ECS[path] ?? 'unknown').split(' ');
      expect(isOfEcs(type, values, value), `${path}: ${JSON.stringify(value)} as ${type}`).toBe(
        true,
      );
    }
    expect(fields.get('ecs.version')).toBe(ECS_VERSION);
    const categories = fields.get('event.category') as readonly string[];
    const types = fields.get('event.type') as readonly string[];
    // Each type is expected for one of the categories, and each category has one that it expects.
    for (const type of types)
      expect(
        categories.some((category) => ECS_TYPES[category]!.includes(type)),
        type,
      ).toBe(true);
    for (const category of categories)
      expect(
        ECS_TYPES[category]!.some((type) => types.includes(type)),
        category,
      ).toBe(true);
  });

  it('gives durations in nanoseconds, and addresses as such only', () => {
    expect(ecsDocument(LINES.admin!, '1')).toMatchObject({
      event: { duration: 1_500_000, outcome: 'success' },
      client: { ip: '::1' },
    });
    const hidden = decisionLine(EVENTS, 1, { ...DECISION, clientAddress: 'hmac:abc' });
    expect(ecsDocument(hidden, '1')).toMatchObject({ client: { address: 'hmac:abc' } });
    expect(ecsDocument(hidden, '1')).not.toHaveProperty('client.ip');
  });
});

function isOfEcs(type: string, values: readonly string[], value: unknown): boolean {
  if (type.endsWith('[]'))
    return Array.isArray(value) && value.every((one) => isOfEcs(type.slice(0, -2), values, one));
  if (type === 'long') return Number.isSafeInteger(value);
  if (typeof value !== 'string' || type === 'unknown') return false;
  if (type === 'ip') return isIP(value) !== 0;
  if (type === 'date') return !Number.isNaN(Date.parse(value));
  return values.length === 0 || values.includes(value);
}

function pathsOf(value: object, before = ''): readonly (readonly [string, unknown])[] {
  return Object.entries(value).flatMap(([name, one]) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? pathsOf(one, `${before}${name}.`)
      : [[`${before}${name}`, one] as const],
  );
}
