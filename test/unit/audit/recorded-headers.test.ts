import { expect, it } from 'vitest';
import { CallEvents } from '../../../src/audit/event/call-event.ts';
import { readEvent } from '../../../src/audit/event/read.ts';
import { headersOf } from '../../../src/audit/event/recorded-headers.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { DECISION, decisionLine } from '../../support/call-events.ts';

const NAMED = new Set(['x-tenant', 'x-run']);
const head = (...fields: readonly (readonly [string, string])[]) => ({
  names: fields.map(([text]) => ({
    text,
    lower: text.toLowerCase(),
    framing: 0 as const,
    fate: 0,
    trailerFate: 0,
  })),
  values: fields.map(([, value]) => value),
});

it('takes what is named, joined where it came several times, and nothing else', () => {
  const found = headersOf(
    head(['X-Tenant', 'a'], ['X-Secret', 's'], ['x-tenant', 'b'], ['X-Run', '7']),
    NAMED,
  );
  expect(found).toEqual({ 'x-tenant': 'a, b', 'x-run': '7' });
  expect(headersOf(head(['accept', '*/*']), NAMED)).toBe(null);
});

it('writes them into the decision, cut and without tokens', () => {
  const token = `slp_a1B2c3D4e5F6_${'s3CrEt'.repeat(8)}x`;
  const headers = { 'x-run': `"\n${'y'.repeat(400)}`, 'x-tenant': `see ${token}` };
  const line = decisionLine(new CallEvents('unit'), 1, { ...DECISION, headers });
  expect(readEvent(line)).toEqual(JSON.parse(line));
  const written = JSON.parse(line).headers;
  expect(written['x-run']).toHaveLength(256);
  expect(written['x-tenant']).not.toContain('s3CrEt');
});

it('takes the usual way with them, where they are plain', () => {
  const calls = new CallEvents('unit');
  const headers = { 'x-run': '7, 8', 'x-tenant': 'a=1;b={2}' };
  expect(decisionLine.plain(calls, { ...DECISION, headers })).not.toBe(null);
  const line = decisionLine(calls, 1, { ...DECISION, headers });
  expect(JSON.parse(line)).toMatchObject({ headers });
  for (const odd of ['a"', 'a\\', 'y'.repeat(257), `slp_a1B2c3D4e5F6_${'s3CrEt'.repeat(8)}x`])
    expect(decisionLine.plain(calls, { ...DECISION, headers: { 'x-run': odd } })).toBe(null);
});

it.each([
  ...['Authorization', 'proxy-authorization', 'Cookie', 'set-cookie', 'X-Api-Key', 'X-Auth-Token'],
  ...['PRIVATE-TOKEN', 'ocp-apim-subscription-key', 'X-Amz-Security-Token', 'DPoP', 'Referer'],
  ...['X-Original-URL', 'X-Forwarded-Client-Cert', 'X-Session-Id', 'X-CSRF', 'a_b', ''],
])('refuses to record %j', (name) => {
  expect(() => parseConfig(JSON.stringify({ audit: { headers: [name] } }), '/a.yaml')).toThrow(
    /audit\.headers/,
  );
});

it('takes names in any case, and refuses addresses by a side door', () => {
  const load = (audit: object) => parseConfig(JSON.stringify({ audit }), '/a.yaml').config.audit;
  expect(load({ headers: ['X-Tenant', 'Idempotency-Key'] }).headers).toEqual([
    'x-tenant',
    'idempotency-key',
  ]);
  expect(load({ headers: ['X-Forwarded-For'] }).headers).toEqual(['x-forwarded-for']);
  for (const clientAddress of ['truncated', 'hashed'])
    for (const name of ['X-Forwarded-For', 'Forwarded', 'X-Real-IP', 'CF-Connecting-IP'])
      expect(() => load({ clientAddress, headers: [name] })).toThrow(
        /audit\.headers\[0\].*keeps out/,
      );
});
