import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CallEvents } from '../../../src/audit/event/call-event.ts';
import { EVENT_LIMITS } from '../../../src/audit/event/limits.ts';
import {
  DECISION,
  type DecisionFacts,
  decisionLine,
  OUTCOME,
  type OutcomeFacts,
  outcomeLine,
} from '../../support/call-events.ts';

const events = new CallEvents('edge-a.k2J9x');
const writer = {
  decision: (seq: number, facts: DecisionFacts) => decisionLine(events, seq, facts),
  outcome: (seq: number, facts: OutcomeFacts) => outcomeLine(events, seq, facts),
};
const TOKEN = `slp_a1B2c3D4e5F6_${'s3CrEt'.repeat(8)}x`;

/** Any UTF-16, halves of surrogate pairs and control characters included. */
const anyUnits = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 3000 })
  .map((units) => String.fromCharCode(...units));
const anyText = fc.oneof(
  anyUnits,
  fc.string(),
  fc.constant('\ud800'),
  fc.constant('x'.repeat(9000)),
);
const odd = fc.oneof(
  anyText,
  fc.constant(null),
  fc.constant(undefined),
  fc.integer(),
  fc.constant({ toString: 1 }),
  fc.constant(Number.NaN),
);

/**
 * Facts in which every field may be anything: what the types forbid, but a door with a fault might
 * do.
 */
function anyFacts<Facts extends object>(sample: Facts): fc.Arbitrary<Facts> {
  const fields = Object.fromEntries(
    Object.entries(sample).map(([name, value]) => [name, fc.oneof(fc.constant(value), odd)]),
  );
  return fc.record(fields, { requiredKeys: [] }) as unknown as fc.Arbitrary<Facts>;
}

/** Texts of a usual call, and among them what makes one unusual. */
const nearlyPlain = fc
  .array(
    fc.oneof(
      {
        weight: 20,
        arbitrary: fc.constantFrom('a', '/', 'B', '7', '-', '.', ' ', '(', ';', 'slp'),
      },
      { weight: 1, arbitrary: fc.constantFrom('_', 'p_', '"', '\\', '%', '?', '#', '\n', '\x7f') },
      { weight: 1, arbitrary: fc.constantFrom('\u00e9', '\u0122', '\u2028', '\ud800', TOKEN) },
    ),
    { maxLength: 300 },
  )
  .map((parts) => parts.join(''));

describe('events about calls', () => {
  it('say what happened, in one line', () => {
    expect(JSON.parse(writer.decision(7, DECISION))).toEqual({
      id: 'request-1',
      time: '2026-11-24T06:07:08.009Z',
      type: 'call',
      phase: 'decision',
      instance: 'edge-a.k2J9x',
      seq: 7,
      account: { id: 'a1B2c3D4e5F6', name: 'billing', kind: 'service' },
      tokenId: '0123456789abcdef',
      decision: 'permit',
      reason: 'permitted',
      route: 'deploy',
      permission: 'deployments:write',
      upstream: 'deployments',
      application: 'CRM',
      role: 'deployer',
      method: 'POST',
      path: '/deployments',
      clientAddress: '192.0.2.7',
      userAgent: 'curl/8.0',
      requestId: 'request-1',
    });
    expect(JSON.parse(writer.outcome(8, OUTCOME))).toMatchObject({
      phase: 'outcome',
      seq: 8,
      status: 200,
      durationMs: 12.346,
      responseBytes: 7,
    });
  });

  it('say all that was asked for, where it is more than the route names', () => {
    const written = (demand: NonNullable<DecisionFacts['demand']> | null) =>
      JSON.parse(writer.decision(1, { ...DECISION, application: null, demand })) as object;
    expect(
      written({ applications: ['CRM'], permissions: ['deployments:Dev:write'] }),
    ).toMatchObject({
      permission: 'deployments:Dev:write',
    });
    const several = { applications: ['CRM', 'HR'], permissions: ['a:x', 'a:y'] };
    expect(written(several)).toMatchObject({ permission: 'deployments:write', ...several });
    expect(JSON.parse(writer.outcome(2, { ...OUTCOME, demand: several }))).toMatchObject(several);
    // The route's own is not changed by what one call asked for.
    expect(written(null)).toMatchObject({ permission: 'deployments:write' });
    expect(written(null)).not.toHaveProperty('permissions');
  });

  it('name a refusal by its reason and leave the account out when it is not known', () => {
    const event = JSON.parse(
      writer.decision(1, {
        ...DECISION,
        reason: 'token-unknown',
        account: null,
        claimedAccountId: 'a1B2c3D4e5F6',
        status: 401,
      }),
    );
    expect(event).toMatchObject({
      decision: 'refusal',
      reason: 'token-unknown',
      account: null,
      claimedAccountId: 'a1B2c3D4e5F6',
      status: 401,
    });
  });

  it('are one line of valid, well-formed, bounded JSON whatever the fields hold', () => {
    fc.assert(
      fc.property(anyFacts(DECISION), anyFacts(OUTCOME), (decision, outcome) => {
        for (const event of [writer.decision(1, decision), writer.outcome(2, outcome)]) {
          expect(event).not.toMatch(/[\n\r\u0085\u2028\u2029]/);
          expect(event.isWellFormed()).toBe(true);
          expect(event).not.toMatch(/\\ud[89a-f]/i);
          expect(event.length).toBeLessThan(
            6 * (EVENT_LIMITS.path + EVENT_LIMITS.userAgent + 10 * EVENT_LIMITS.short) + 1000,
          );
          expect(Object.keys(JSON.parse(event))).toContain('account');
        }
      }),
      { numRuns: 300 },
    );
  });

  it('say the same, whether the usual way was taken or the careful one', () => {
    const texts = ['path', 'userAgent', 'application', 'role', 'method', 'clientAddress'] as const;
    const changed = fc.record(
      {
        ...Object.fromEntries(
          [...texts, 'door', 'id', 'traceId'].map((name) => [name, nearlyPlain]),
        ),
        headers: fc.dictionary(fc.constantFrom('accept', 'x-run', 'x-tenant'), nearlyPlain),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(changed, (some) => {
        const facts = { ...DECISION, ...some };
        // What is exposed is not usual.
        const careful = { ...JSON.parse(writer.decision(1, { ...facts, exposed: true })) };
        delete careful.exposed;
        const usual = writer.decision(1, facts);
        expect(JSON.parse(usual)).toEqual(careful);
        expect(Object.keys(JSON.parse(usual))).toEqual(Object.keys(careful));
        expect(usual).not.toContain(TOKEN.slice(17, 40));
        const outcome = { ...OUTCOME, ...some };
        const plain = decisionLine.plain(events, facts);
        expect(outcomeLine(events, 2, outcome, plain)).toBe(outcomeLine(events, 2, outcome));
      }),
      { numRuns: 1000 },
    );
  });

  it('count every quote of a text, however many there are', () => {
    for (const quotes of [1, 2, 4, 1023, 1024, 1025, 2048]) {
      const path = '"'.repeat(quotes);
      expect(JSON.parse(writer.decision(1, { ...DECISION, path })).path).toBe(path);
    }
    for (const odd of ['\n', '\\', '%']) {
      const path = odd.repeat(2048);
      expect(JSON.parse(writer.decision(1, { ...DECISION, path })).path).toBe(path);
    }
  });

  it('write durations as numbers of JSON are written', () => {
    expect(outcomeLine(events, 1, OUTCOME)).toContain(
      '"durationMs":12.346,"gateMs":0.5,"upstreamMs":11,"requestBytes"',
    );
    const apart = { ...OUTCOME, gateMs: null, upstreamMs: null };
    expect(outcomeLine(events, 1, apart)).toContain('"durationMs":12.346,"requestBytes"');
    for (const durationMs of [0, 0.001, 0.1, 1, 12.34, 999.999, 86_400_000.5, -1, 1e12]) {
      const line = outcomeLine(events, 1, { ...OUTCOME, durationMs });
      expect(line).toContain(`"durationMs":${Math.round(durationMs * 1000) / 1000},`);
    }
  });

  it('hold no query, whoever forgot to cut it off', () => {
    for (const path of ['/a?key=secretvalue', '/a#secretvalue', '/a?x?secretvalue']) {
      const event = writer.decision(1, { ...DECISION, path });
      expect(event).not.toContain('secretvalue');
      expect(JSON.parse(event).path).toBe('/a');
    }
  });

  it('hold no token, wherever the client put it and wherever the text is cut', () => {
    const secret = TOKEN.slice(17, 40);
    fc.assert(
      fc.property(
        fc.nat({ max: 2200 }),
        fc.constantFrom('path', 'userAgent', 'application', 'method', 'claimedAccountId'),
        (offset, field) => {
          const event = writer.decision(1, {
            ...DECISION,
            [field]: `/${'a'.repeat(offset)}${TOKEN}`,
          });
          expect(event).not.toContain(secret.slice(0, 8));
        },
      ),
    );
    expect(
      writer.decision(1, { ...DECISION, path: `/x/${TOKEN.replaceAll('_', '%5F')}` }),
    ).not.toContain(secret);
  });

  it('mark what was cut', () => {
    const long = JSON.parse(
      writer.decision(1, {
        ...DECISION,
        path: `/${'p'.repeat(5000)}`,
        userAgent: '\u{1f6aa}'.repeat(500),
      }),
    );
    expect(long.path).toHaveLength(2048);
    expect(long.userAgent.length).toBeLessThanOrEqual(256);
    expect(long.truncated).toEqual(['path', 'userAgent']);
    expect(
      JSON.parse(writer.decision(1, { ...DECISION, path: `/a?${'q'.repeat(5000)}` })).truncated,
    ).toBeUndefined();
  });

  it('show invisible characters as escapes, so that a terminal shows the line as it is', () => {
    const event = writer.decision(1, { ...DECISION, userAgent: 'a\u202egpj.exe\u200b\u009b31m' });
    expect(event).toContain('\\u202e');
    expect(event).not.toMatch(/[\u202e\u200b\u009b]/);
    expect(JSON.parse(event).userAgent).toBe('a\u202egpj.exe\u200b\u009b31m');
  });

  it('keep the account of one event out of the next', () => {
    const other = { id: 'z1z1z1z1z1z1', name: 'other', kind: 'service' } as const;
    writer.decision(1, DECISION);
    expect(JSON.parse(writer.decision(2, { ...DECISION, account: other })).account).toEqual(other);
    expect(JSON.parse(writer.decision(3, { ...DECISION, account: null })).account).toBeNull();
  });
});
