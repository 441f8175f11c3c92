import { describe, expect, it } from 'vitest';
import { traceOf } from '../../../src/http/trace.ts';
import { parsed } from '../forwarding/samples.ts';

const ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const VALID = `00-${ID}-00f067aa0ba902b7-01`;
const trace = (...fields: readonly string[]) =>
  traceOf(parsed('GET / HTTP/1.1', 'Host: h', ...fields), 'sampled');

describe('the trace of a call', () => {
  it('goes on when the client brings a valid one', () => {
    expect(trace(`TraceParent: ${VALID}`)).toEqual({
      traceparent: VALID,
      tracestate: null,
      traceId: ID,
    });
    expect(
      trace(`traceparent: ${VALID}`, 'tracestate: a=1', 'tracestate: b@c=2 x,,'),
    ).toMatchObject({
      traceparent: VALID,
      tracestate: 'a=1,b@c=2 x,,',
    });
  });

  it.each([
    ['none', []],
    ['an empty one', ['traceparent:']],
    ['upper case', [`traceparent: ${VALID.toUpperCase()}`]],
    ['a higher version that goes on without a hyphen', [`traceparent: cc${VALID.slice(2)}x`]],
    ['a higher version cut short', [`traceparent: cc${VALID.slice(2, -1)}`]],
    ['the forbidden version', [`traceparent: ${VALID.replace('00-', 'ff-')}`]],
    ['no trace id', [`traceparent: 00-${'0'.repeat(32)}-00f067aa0ba902b7-01`]],
    ['no parent id', [`traceparent: 00-${ID}-${'0'.repeat(16)}-01`]],
    ['more than there should be', [`traceparent: ${VALID}-00`]],
    ['two', [`traceparent: ${VALID}`, `traceparent: ${VALID}`]],
    ['three', [`traceparent: ${VALID}`, `traceparent: ${VALID}`, `traceparent: ${VALID}`]],
  ])('begins anew with %s, and then no state is kept', (_, fields) => {
    const begun = trace(...fields, 'tracestate: a=1');
    expect(begun.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(begun.traceparent).toContain(begun.traceId);
    expect([begun.tracestate, begun.traceId === ID]).toEqual([null, false]);
  });

  it.each([
    ['longer than 512 characters', `a=${'b'.repeat(511)}`],
    ['more than 32 members', Array.from({ length: 33 }, (_, index) => `k${index}=1`).join(',')],
    ['no key', '=1'],
    ['no value', 'a='],
    ['an upper-case key', 'A=1'],
    ['two equals signs', 'a=1=2'],
    ['bytes above ASCII', 'a=\u00e9'],
    ['no list', 'root'],
  ])('keeps its parent but no state with %s', (_, state) => {
    expect(trace(`traceparent: ${VALID}`, `tracestate: ${state}`)).toEqual({
      traceparent: VALID,
      tracestate: null,
      traceId: ID,
    });
  });

  it.each([
    [`cc-${VALID.slice(3)}`, `00-${VALID.slice(3)}`],
    [`01-${VALID.slice(3, -2)}ff-what-comes-later`, `00-${VALID.slice(3)}`],
    [`01-${VALID.slice(3, -2)}fe`, `00-${VALID.slice(3, -2)}00`],
  ])('of a higher version goes on as version 00: %s', (given, kept) => {
    expect(trace(`traceparent: ${given}`, 'tracestate: a=1')).toEqual({
      traceparent: kept,
      tracestate: 'a=1',
      traceId: ID,
    });
  });

  it('is begun as the configuration says, and a valid one always kept', () => {
    const head = parsed('GET / HTTP/1.1', 'Host: h');
    expect(traceOf(head, 'unsampled').traceparent).toMatch(/-00$/);
    expect(traceOf(head, 'none')).toEqual({ traceparent: null, tracestate: null, traceId: null });
    const brought = parsed('GET / HTTP/1.1', 'Host: h', `traceparent: ${VALID}`);
    expect(traceOf(brought, 'none').traceparent).toBe(VALID);
  });

  it('is new for every call, well past the random bytes that are drawn at a time', () => {
    expect(new Set(Array.from({ length: 1000 }, () => trace().traceId)).size).toBe(1000);
  });
});
