import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import type { Message } from '../support/http-bytes.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { call, fieldOf, statusOf } from './caller.ts';

const READ = { methods: ['GET'], application: 'any', permission: 'test:all', upstream: 'api' };

describe('a gate with rate limits', () => {
  let upstream: RawUpstream;
  let gate: TestGateway;

  beforeAll(async () => {
    upstream = await startRawUpstream({
      answer: (request) => {
        const own = request.line.includes('/own') ? 'RateLimit: "theirs";r=1;t=1\r\n' : '';
        return [{ send: `HTTP/1.1 200 OK\r\n${own}Content-Length: 2\r\n\r\nok` }];
      },
    });
    gate = await startGateway({
      upstreams: { api: { addresses: [upstream.url] } },
      plaintext: true,
      routes: [
        { ...READ, name: 'free', path: '/free/**' },
        {
          ...READ,
          name: 'each',
          path: '/each/**',
          rateLimit: { requests: 3, windowSeconds: 3600, per: 'account' },
        },
        {
          ...READ,
          name: 'closed',
          path: '/closed/**',
          permission: 'other:all',
          rateLimit: { requests: 1, windowSeconds: 3600, per: 'account' },
        },
        {
          name: 'public',
          path: '/public/**',
          access: 'public',
          upstream: 'api',
          errors: 'lifetime',
          rateLimit: { requests: 2, windowSeconds: 3600, per: 'route' },
        },
      ],
    });
  });
  afterAll(async () => {
    await gate?.stop();
    await upstream?.stop();
  });

  function get(path: string, tokens: readonly string[]): Promise<readonly Message[]> {
    return call({ port: gate.port, from: '127.0.0.1' }, tokens, path);
  }

  function times(count: number): readonly string[] {
    return Array(count).fill(gate.token);
  }

  it('tells with each answer how the caller stands, and refuses what is beyond with the time to come back', async () => {
    upstream.clear();
    const answers = await get('/each/x', times(5));
    expect(answers.map(statusOf)).toEqual([200, 200, 200, 429, 429]);
    expect(answers.map((answer) => fieldOf(answer, 'ratelimit-policy'))).toEqual(
      Array(5).fill('"route";q=3;w=3600'),
    );
    const told = answers.slice(0, 3).map((answer) => fieldOf(answer, 'ratelimit') ?? '');
    expect(told.map((field) => field.replace(/\d+$/, ''))).toEqual([
      '"route";r=2;t=',
      '"route";r=1;t=',
      '"route";r=0;t=',
    ]);
    for (const [index, field] of told.entries()) {
      // Less by the time that has passed since the first one.
      const full = 1200 * (index + 1);
      expect(Number(/\d+$/.exec(field)?.[0])).toBeGreaterThan(full - 10);
      expect(Number(/\d+$/.exec(field)?.[0])).toBeLessThanOrEqual(full);
    }
    const refused = answers[3]!;
    const seconds = Number(fieldOf(refused, 'retry-after'));
    expect(seconds).toBeGreaterThan(1190);
    expect(seconds).toBeLessThanOrEqual(1200);
    expect(fieldOf(refused, 'ratelimit')).toBe(`"route";r=0;t=${seconds}`);
    expect(JSON.parse(refused.body.toString())).toMatchObject({
      reason: 'rate-limited',
      status: 429,
      title: 'Too many requests',
    });
    expect(upstream.requests).toHaveLength(3);
  });

  it('gives another account its own', async () => {
    const { token } = await gate.createAccount({ name: 'another', role: 'tester' });
    expect((await get('/each/x', [token])).map(statusOf)).toEqual([200]);
  });

  it('says nothing where nothing is limited', async () => {
    const [answer] = await get('/free/x', times(1));
    expect([
      fieldOf(answer!, 'ratelimit-policy'),
      fieldOf(answer!, 'ratelimit'),
      fieldOf(answer!, 'retry-after'),
    ]).toEqual([null, null, null]);
  });

  it('counts no call that is refused for another reason', async () => {
    const answers = await get('/closed/x', times(3));
    expect(answers.map(statusOf)).toEqual([403, 403, 403]);
    expect(answers.map((answer) => fieldOf(answer, 'ratelimit'))).toEqual([null, null, null]);
  });

  it('limits a public route as a whole, and refuses in the form that the route chose', async () => {
    const answers = await get('/public/own', ['none', 'none', 'none']);
    expect(answers.map(statusOf)).toEqual([200, 200, 429]);
    expect(JSON.parse(answers[2]!.body.toString())).toMatchObject({ StatusCode: 429 });
    // An upstream's own limits are passed on beside ours.
    const both = answers[0]!.fields
      .filter(([name]) => name.toLowerCase() === 'ratelimit')
      .map(([, value]) => value);
    expect(both).toEqual(['"theirs";r=1;t=1', '"route";r=1;t=1800']);
  });

  it('records and counts the refusal with the account that it hit', async () => {
    const limited = (await gate.events()).filter(({ reason }) => reason === 'rate-limited');
    expect(limited.length).toBeGreaterThanOrEqual(3);
    expect(limited.filter(({ account }) => account !== null)[0]).toMatchObject({
      phase: 'decision',
      decision: 'refusal',
      status: 429,
      route: 'each',
      account: { id: gate.account.id },
    });
    expect(await gate.gateway.metrics.text()).toMatch(
      /sallyport_requests_total\{route="each",method="GET",status_class="4xx",reason="rate-limited"\} 2\n/,
    );
  });

  it('takes over a changed limit, and leaves one that did not change as it was', async () => {
    const raised = gate.config.routes.map((route) =>
      route.name === 'each'
        ? { ...route, rateLimit: { requests: 4, windowSeconds: 3600, per: 'account' as const } }
        : { ...route },
    );
    gate.gateway.reload({ ...gate.config, routes: raised });
    expect((await get('/each/x', times(5))).map(statusOf)).toEqual([200, 200, 200, 200, 429]);
    expect((await get('/public/x', ['none'])).map(statusOf)).toEqual([429]);
    const accountRate = { requests: 2, windowSeconds: 3600 };
    gate.gateway.reload({ ...gate.config, limits: { ...gate.config.limits, accountRate } });
    const answers = await get('/free/x', times(3));
    expect(answers.map(statusOf)).toEqual([200, 200, 429]);
    expect(fieldOf(answers[0]!, 'ratelimit-policy')).toBe('"account";q=2;w=3600');
  });
});
