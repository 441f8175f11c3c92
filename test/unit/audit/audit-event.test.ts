import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AdminCallFacts, adminCallEvent } from '../../../src/audit/event/admin-call-event.ts';
import {
  CHANGE_TYPES,
  type EventKind,
  LOSS_REASONS,
  NOTICE_TYPES,
  schemaOf,
} from '../../../src/audit/event/audit-event.ts';
import { CallEvents } from '../../../src/audit/event/call-event.ts';
import { type ChainFacts, chainEvent } from '../../../src/audit/event/chain-event.ts';
import { changeEvent } from '../../../src/audit/event/change-event.ts';
import { ACTOR_DOORS, FIELD_NAMES } from '../../../src/audit/event/fields.ts';
import { foldedEvent } from '../../../src/audit/event/folded-event.ts';
import {
  EVENT_SCHEMA_FILE,
  eventSchema,
  eventSchemaText,
} from '../../../src/audit/event/json-schema.ts';
import { kindOf } from '../../../src/audit/event/kind-of.ts';
import { noticeEvent } from '../../../src/audit/event/notice-event.ts';
import { readableEvent, readEvent } from '../../../src/audit/event/read.ts';
import { signInEvent } from '../../../src/audit/event/sign-in-event.ts';
import { isoTime } from '../../../src/audit/event/text.ts';
import { unknownOutcome } from '../../../src/audit/event/unknown-outcome.ts';
import { REFUSALS } from '../../../src/refusal.ts';
import { DECISION, decisionLine, OUTCOME, outcomeLine } from '../../support/call-events.ts';

const events = new CallEvents('edge-a.k2J9x');
const TOKEN = `slp_a1B2c3D4e5F6_${'s3CrEt'.repeat(8)}x`;

/** What anybody may have put there. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 3000 }),
  fc.constantFrom('', TOKEN, '\u2028', '\ud800', '"\\', 'x'.repeat(5000)),
);
const maybe = fc.option(text);
const reason = fc.constantFrom(...(Object.keys(REFUSALS) as (keyof typeof REFUSALS)[]));
const timeMs = fc.integer({ min: 0, max: 4e12 });
const account = fc.option(
  fc.record({ id: text, name: text, kind: fc.constantFrom('service', 'user') }),
);
const actor = fc.record({
  id: maybe,
  name: text,
  kind: fc.constantFrom('service', 'user', 'operator', 'system'),
  via: fc.constantFrom(...ACTOR_DOORS),
});
const demand = fc.option(
  fc.record({
    applications: fc.option(fc.array(text, { maxLength: 3 })),
    permissions: fc.array(text, { maxLength: 3 }),
  }),
);
const route = fc.option(fc.record({ name: text, permission: maybe, upstream: text }));
const call = fc.record({ id: text, timeMs, account, route, application: maybe, demand });

const base64 = (bytes: number) =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((value) => Buffer.from(value).toString('base64url'));
const hash = base64(32);
const signature = base64(64);
const keyId = fc.constant('0123456789abcdef');
const previous = fc.option(fc.record({ instance: text, seq: fc.nat(), chain: hash }));
const signed = {
  lastHead: fc.record({ number: fc.nat(), time: timeMs.map(isoTime) }),
  key: keyId,
  signature,
  chain: hash,
};

function chained(facts: fc.Arbitrary<ChainFacts>): fc.Arbitrary<string> {
  return facts.map((one) => chainEvent('edge-a.k2J9x', 7, 1_900_000_000_000, one));
}

/** One line of each kind, of whatever it may be about. */
const LINES: Readonly<Record<EventKind, fc.Arbitrary<string>>> = {
  callDecision: fc
    .tuple(
      call,
      fc.record({
        reason: fc.oneof(reason, fc.constant('permitted' as const)),
        claimedAccountId: maybe,
        exposed: fc.boolean(),
        tokenId: maybe,
        scheme: maybe,
        detail: maybe,
        role: maybe,
        method: maybe,
        preflight: maybe,
        path: maybe,
        clientAddress: maybe,
        userAgent: maybe,
        traceId: maybe,
        status: fc.option(fc.integer({ min: 100, max: 599 })),
      }),
    )
    .map(([one, more]) => decisionLine(events, 7, { ...DECISION, ...one, ...more })),
  callOutcome: fc
    .tuple(call, reason, fc.nat(), fc.double({ min: 0, max: 1e9, noNaN: true }))
    .map(([one, why, bytes, durationMs]) =>
      outcomeLine(events, 8, { ...OUTCOME, ...one, reason: why, requestBytes: bytes, durationMs }),
    ),
  foldedDecision: fc
    .tuple(account, maybe, reason, fc.integer({ min: 1 }), timeMs)
    .map(([who, clientAddress, why, count, firstMs]) => {
      const reasons = new Map([[why, count]] as const);
      const facts = { account: who, clientAddress, count, reasons, firstMs, lastMs: firstMs + 9 };
      return foldedEvent('call', 'edge', 'id-1', 9, firstMs + 10, facts);
    }),
  adminDecision: adminLines('decision'),
  adminOutcome: adminLines('outcome'),
  unknownOutcome: fc
    .tuple(text, account, actor, maybe)
    .map(([id, who, actor, traceId]) =>
      unknownOutcome(
        'edge',
        0,
        { id, type: 'call', account: who, actor, ...(traceId === null ? {} : { traceId }) },
        'dead',
      ),
    ),
  signIn: signInLines(false),
  signInOutcome: signInLines(true),
  instanceBegun: chained(
    fc.record({
      type: fc.constant('instance-begun'),
      previous,
      version: text,
      key: keyId,
      publicKey: fc.constant('A'.repeat(59)),
      chain: hash,
    }),
  ),
  instanceEnded: chained(fc.record({ type: fc.constant('instance-ended'), ...signed })),
  chainHead: chained(fc.record({ type: fc.constant('chain-head'), ...signed })),
  eventsLost: chained(
    fc.record({
      type: fc.constant('events-lost'),
      reason: fc.constantFrom(...LOSS_REASONS),
      firstSeq: fc.nat(),
      lastSeq: fc.nat(),
      count: fc.integer({ min: 1 }),
    }),
  ),
  permitsClosed: chained(
    fc.record({
      type: fc.constant('permits-closed'),
      decidedBy: text,
      count: fc.integer({ min: 1 }),
      digest: hash,
    }),
  ),
  logTrimmed: chained(
    fc.record({
      type: fc.constant('log-trimmed'),
      count: fc.integer({ min: 1 }),
      stream: fc.constantFrom('0', '1', '2', '3', 'all'),
      trimmedBefore: timeMs.map(isoTime),
      key: keyId,
      signature,
    }),
  ),
  notice: fc
    .record({
      id: text,
      timeMs,
      type: fc.constantFrom(...NOTICE_TYPES),
      target: fc.record({ kind: fc.constant('account' as const), id: text, name: text }),
      tokenId: text,
      detail: text,
      door: fc.constantFrom('http1', 'admin'),
      method: text,
      path: text,
      expiresAt: timeMs.map(isoTime),
      clientAddress: text,
      userAgent: text,
      requestId: text,
      count: fc.integer({ min: 1 }),
      firstTime: timeMs.map(isoTime),
      lastTime: timeMs.map(isoTime),
    })
    .map((facts) => noticeEvent('edge', 5, facts)),
  change: fc
    .tuple(actor, text, text, fc.constantFrom(...CHANGE_TYPES), maybe, timeMs)
    .map(([actor, id, name, type, clientAddress, ms]) => {
      const after = { name, description: id, permissions: [name] } as never;
      const target = { kind: 'role', id, name } as const;
      const facts = { id: 'id-1', timeMs: ms, type, instance: null, actor, target, before: null };
      return changeEvent({ ...facts, after, requestId: null, clientAddress });
    }),
};

function adminLines(phase: AdminCallFacts['phase']): fc.Arbitrary<string> {
  return fc
    .record({
      id: text,
      timeMs,
      phase: fc.constant(phase),
      reason,
      actor: fc.option(actor),
      claimedAccountId: maybe,
      tokenId: maybe,
      method: maybe,
      path: maybe,
      status: fc.option(fc.integer({ min: 100, max: 599 })),
      durationMs: fc.option(fc.double({ min: 0, max: 1e9, noNaN: true })),
      clientAddress: maybe,
      userAgent: maybe,
    })
    .map((facts) => adminCallEvent('edge', 3, facts));
}

function signInLines(outcome: boolean): fc.Arbitrary<string> {
  const instead = { reason: 'audit-unavailable', status: 503 } as const;
  return fc.tuple(text, timeMs, maybe, maybe, maybe).map(([id, ms, claimed, address, agent]) =>
    signInEvent('edge', 4, {
      id,
      timeMs: ms,
      reason: 'signed-in',
      account: { id: 'a', name: id },
      claimedAccountId: claimed,
      clientAddress: address,
      userAgent: agent,
      ...(outcome ? { instead } : {}),
    }),
  );
}

describe.each(Object.keys(LINES) as EventKind[])('events of the kind %s', (kind) => {
  it('are written as their table says: its fields alone, in its order, and no token', () => {
    fc.assert(
      fc.property(LINES[kind], (line) => {
        const event = JSON.parse(line) as Record<string, unknown>;
        expect(kindOf(event)).toBe(kind);
        expect(schemaOf(kind).strict().safeParse(event).error).toBeUndefined();
        const order = Object.keys(event).map((name) => FIELD_NAMES.indexOf(name as never));
        expect(order).toEqual(order.toSorted((one, other) => one - other));
        expect(line).not.toMatch(/[\n\r\u0085\u2028\u2029]/);
        expect(line).not.toContain(TOKEN.slice(17, 40));
      }),
      { numRuns: 200 },
    );
  });

  it('are read as they were written, and taken by the JSON schema', () => {
    const validate = new Ajv2020({ strict: false }).compile(eventSchema());
    fc.assert(
      fc.property(LINES[kind], (line) => {
        expect(readEvent(line)).toEqual(JSON.parse(line));
        expect(readableEvent(line)).toBe(line);
        expect([validate(JSON.parse(line)), validate.errors]).toEqual([true, null]);
      }),
      { numRuns: 50 },
    );
  });
});

describe('a line that cannot be read', () => {
  const known = JSON.parse(decisionLine(events, 1, DECISION)) as Record<string, unknown>;
  const { id, time } = known;

  it.each([
    ['of another version', { ...known, schema: 2 }, 'its schema is "2", and not 1'],
    [
      'of another type',
      { ...known, type: 'dream' },
      'nothing is known of type "dream", phase "decision"',
    ],
    [
      'of another phase',
      { ...known, phase: 'later' },
      'nothing is known of type "call", phase "later"',
    ],
    ['with a field that is none', { ...known, seq: 'seven' }, 'seq: '],
    ['without a field', { ...known, reason: undefined }, 'reason: '],
  ])('because it is %s keeps its place and says why', (_what, event, reason) => {
    const line = JSON.stringify(event);
    const read = readEvent(line);
    expect(read).toMatchObject({ id, time, type: 'unreadable', phase: 'unreadable', line });
    expect(read.phase === 'unreadable' && read.reason).toContain(reason);
    // Whoever is told by another instance reads the same.
    expect(readEvent(readableEvent(line))).toEqual(read);
  });

  it.each(['', '{', 'null', '[]', '7', '"text"'])('because it is no object: %s', (line) => {
    expect(readEvent(line)).toEqual({
      id: '',
      time: '',
      type: 'unreadable',
      phase: 'unreadable',
      reason: 'it is no JSON object',
      line,
    });
  });

  it('is none for a field that is not known, or for the version that is', () => {
    const later = { ...known, schema: 1, mood: 'fine' };
    expect(readEvent(JSON.stringify(later))).toEqual({ ...known, schema: 1 });
    expect(readableEvent(JSON.stringify(later))).toBe(JSON.stringify(later));
  });
});

it('keeps config/audit-event.schema.json up to date (npm run event-schema writes it)', () => {
  expect(readFileSync(EVENT_SCHEMA_FILE, 'utf8')).toBe(eventSchemaText());
});
