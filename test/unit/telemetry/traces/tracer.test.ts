import { describe, expect, it } from 'vitest';
import type { Trace } from '../../../../src/http/trace.ts';
import type { Sampling } from '../../../../src/telemetry/traces/tracer.ts';
import { Tracer } from '../../../../src/telemetry/traces/tracer.ts';
import { parsed } from '../../forwarding/samples.ts';

const ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';
const TOKEN = `slp_a1B2c3D4e5F6_${'s3CrEt'.repeat(8)}x`;

const FACTS = {
  id: 'request-1',
  traceId: ID,
  clientAddress: '192.0.2.7',
  method: 'GET',
  path: '/apps/CRM',
  door: null,
  version: '1.1',
  userAgent: 'curl/8',
  upstreamStatus: 200,
  startedMs: 100,
  forwardedMs: 102,
} as const;
const MEASURE = {
  route: { name: 'apps', path: '/apps/{app}', upstream: 'api' },
  status: 200,
  reason: 'permitted',
  durationMs: 12.5,
  overheadMs: 2,
  upstreamMs: 8,
  requestBytes: 0,
  responseBytes: 2,
  account: 'ci',
} as const;

interface Span {
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceId: string;
  readonly kind: number;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status?: unknown;
  readonly attributes: readonly { readonly key: string; readonly value: object }[];
}

/** Chance says `draw`. */
function stage(sampling: Partial<Sampling> = {}, draw = 0.5) {
  const state = { ratio: 0, askedPerSecond: 2, nowMs: 0, ...sampling };
  const made: Span[] = [];
  const counts: Record<string, number> = {};
  const exemplars: string[] = [];
  const tracer = new Tracer({
    sampling: () => state,
    newTraces: () => 'unsampled',
    spans: { add: (spans) => void made.push(...spans.map((one) => JSON.parse(one) as Span)) },
    count: (word, by = 1) => {
      counts[word] = (counts[word] ?? 0) + by;
    },
    exemplar: ({ durationMs }, traceId) => void exemplars.push(`${durationMs} ${traceId}`),
    clock: { wallMs: () => Date.UTC(2026, 10, 1), monotonicMs: () => state.nowMs },
    random: () => draw,
  });
  const begin = (...fields: readonly string[]) =>
    tracer.begin(parsed('GET / HTTP/1.1', 'Host: h', ...fields), true);
  /** A call from its head to its end; what the upstream was told. */
  const call = (flag: string | null, measure: object = {}, isKnown = true) => {
    const trace = flag === null ? begin() : begin(`traceparent: 00-${ID}-${CALLER}-${flag}`);
    tracer.forwarded(trace, isKnown);
    tracer.ended({ ...FACTS, trace }, { ...MEASURE, ...measure });
    return trace.traceparent!;
  };
  return { state, made, counts, exemplars, tracer, begin, call };
}

const flagOf = (traceparent: string) => traceparent.slice(53);
const parentOf = (traceparent: string) => traceparent.slice(36, 52);

describe('the share of all calls', () => {
  it('is drawn whatever the caller says, and the upstream goes on from our span', () => {
    const { made, call } = stage({ ratio: 0.6 });
    for (const flag of ['00', '01', null]) {
      made.length = 0;
      const told = call(flag);
      const [server, client, ...more] = made;
      expect(more).toEqual([]);
      expect(flagOf(told)).toBe('01');
      expect(parentOf(told)).toBe(client!.spanId);
      expect(client!.parentSpanId).toBe(server!.spanId);
      expect(server!.parentSpanId).toBe(flag === null ? undefined : CALLER);
      expect(new Set([server!.traceId, client!.traceId, told.slice(3, 35)]).size).toBe(1);
      if (flag !== null) expect(told).toContain(ID);
    }
  });

  it('leaves the trace of all others as it came, or as calls without one get it', () => {
    const { made, call } = stage({ ratio: 0.5 });
    expect(call('00')).toBe(`00-${ID}-${CALLER}-00`);
    expect(flagOf(call(null))).toBe('00');
    expect(made).toEqual([]);
  });

  it('takes no part of the trace id into account', () => {
    const { tracer, made } = stage({ ratio: 0.6 });
    for (const id of ['f'.repeat(32), `${'0'.repeat(31)}1`]) {
      const head = parsed('GET / HTTP/1.1', 'Host: h', `traceparent: 00-${id}-${CALLER}-00`);
      const trace = tracer.begin(head, false);
      tracer.ended({ ...FACTS, trace, forwardedMs: 0 }, MEASURE);
    }
    expect(made.map(({ traceId }) => traceId)).toEqual(['f'.repeat(32), `${'0'.repeat(31)}1`]);
  });

  it('is what metrics name traces of, and no other call', () => {
    const { state, exemplars, call } = stage({ ratio: 0.6, askedPerSecond: 1 });
    for (const durationMs of [1, 2]) call('00', { durationMs, account: null, reason: 'draining' });
    state.ratio = 0;
    call('00');
    expect(exemplars).toEqual([`1 ${ID}`]);
  });

  it('keeps the other flags of the caller', () => {
    expect(flagOf(stage({ ratio: 1 }).call('02'))).toBe('03');
  });
});

describe('a caller that asks for spans', () => {
  it('gets them if it is known, so many a second for all of them', () => {
    const { state, made, counts, call } = stage();
    const asked = () => call('01') !== `00-${ID}-${CALLER}-01`;
    expect([asked(), asked(), asked(), asked()]).toEqual([true, true, false, false]);
    expect(made).toHaveLength(4);
    expect(counts).toEqual({ over_limit: 4 });
    state.nowMs += 1000;
    expect(asked()).toBe(true);
    state.askedPerSecond = 0;
    expect(asked()).toBe(false);
  });

  it('gets none if nobody knows it, and takes no place of those that are known', () => {
    const { made, counts, call } = stage({ askedPerSecond: 1 });
    for (let strangers = 0; strangers < 3; strangers += 1)
      expect(call('01', { account: null }, false)).toBe(`00-${ID}-${CALLER}-01`);
    expect(made).toEqual([]);
    expect(counts).toEqual({});
    call('01');
    expect(made).toHaveLength(2);
  });
});

it('tells of so many refusals of strangers a second, and of all others that were drawn', () => {
  const { made, counts, call } = stage({ ratio: 1, askedPerSecond: 1 });
  const refused = { account: null, reason: 'token-unknown', status: 401, route: null };
  for (let flood = 0; flood < 5; flood += 1) call(null, refused);
  expect(made).toHaveLength(2);
  expect(counts).toEqual({ over_limit: 4 });
  call(null, { account: null });
  call(null, { ...refused, account: 'ci', reason: 'permission-denied', status: 403 });
  expect(made).toHaveLength(6);
});

describe('the spans of a call', () => {
  const attributes = (span: Span) =>
    Object.fromEntries(span.attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

  it('say by the semantic conventions what it was, and when', () => {
    const { made, call } = stage({ ratio: 1 });
    call(null);
    const [server, client] = made;
    expect(server).toMatchObject({ kind: 2, name: 'GET /apps/{app}' });
    expect(server!.status).toBeUndefined();
    expect(attributes(server!)).toMatchObject({
      'http.request.method': 'GET',
      'http.response.status_code': '200',
      'http.route': '/apps/{app}',
      'url.path': '/apps/CRM',
      'url.scheme': 'https',
      'sallyport.request_id': 'request-1',
      'sallyport.reason': 'permitted',
    });
    expect(client).toMatchObject({ kind: 3, name: 'GET' });
    expect(attributes(client!)).toMatchObject({ 'peer.service': 'api' });
    const at = (text: string) => Number(BigInt(text) / 1000n) / 1000 - Date.UTC(2026, 10, 1);
    expect(
      [server, client].map((span) => [at(span!.startTimeUnixNano), at(span!.endTimeUnixNano)]),
    ).toEqual([
      [-12.5, 0],
      [-10.5, 0],
    ]);
  });

  it('hold no token, no account, and nothing that a client invents as a name', () => {
    const { tracer, begin, made } = stage({ ratio: 1 });
    const trace: Trace = begin();
    const invented = { method: 'BREW', path: `/x/${TOKEN}`, userAgent: `a ${TOKEN} \ud800` };
    tracer.ended({ ...FACTS, ...invented, trace }, { ...MEASURE, account: 'secret-account' });
    expect(made[0]!.name).toBe('HTTP /apps/{app}');
    const text = JSON.stringify(made);
    expect(text).not.toContain('s3CrEt');
    expect(text).not.toContain('secret-account');
    expect(text).not.toContain('BREW');
    expect(text.isWellFormed()).toBe(true);
  });

  it.each([
    [{ status: 502, reason: 'upstream-unreachable' }, null, [true, true]],
    [{ status: 404, reason: 'permitted' }, 404, [false, true]],
    [{ status: 500, reason: 'permitted' }, 500, [true, true]],
    [{ status: 0, reason: 'client-aborted' }, 200, [false, true]],
    [{ status: 0, reason: 'internal-fault' }, null, [true, true]],
    [{ status: 204, reason: 'permitted' }, 204, [false, false]],
  ])('are errors where a server, or a client, has one: %o', (measure, upstreamStatus, errors) => {
    const { tracer, begin, made } = stage({ ratio: 1 });
    tracer.ended({ ...FACTS, upstreamStatus, trace: begin() }, { ...MEASURE, ...measure });
    expect(made.map(({ status }) => status !== undefined)).toEqual(errors);
  });

  it('is one where nothing went upstream, and none where no head could be read', () => {
    const { tracer, begin, made } = stage({ ratio: 1 });
    tracer.ended({ ...FACTS, forwardedMs: 0, trace: begin() }, MEASURE);
    tracer.ended({ ...FACTS, trace: null }, MEASURE);
    expect(made.map(({ kind }) => kind)).toEqual([2]);
  });
});
