import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import type { Message } from '../support/http-bytes.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts';
import { wholeLog } from '../support/whole-log.ts';
import { call, fieldOf, guesses, type Place, statusOf, tally, until } from './caller.ts';

const CONNECTIONS = 200;
const PER_CONNECTION = 50;
const GUESSES = CONNECTIONS * PER_CONNECTION;
/** One connection's worth, before the flood: enough to count as guessing. */
const FIRST = 100;
const missing = redisMissing();

describe('10,000 guessed tokens from one address', () => {
  let redis: RedisServer;
  let admin: RedisConnection;
  let upstream: RawUpstream;
  let gate: TestGateway;
  let guesser: Place;
  let neighbour: Place;

  beforeAll(async () => {
    if (missing !== null) return;
    redis = await startRedis();
    admin = connectRedis({
      url: redis.url,
      username: null,
      password: null,
      tls: null,
      name: 'test',
    });
    upstream = await startRawUpstream();
    const upstreams = { api: { addresses: [upstream.url] } };
    gate = await startGateway({ upstreams, store: { url: redis.url }, plaintext: true });
    await until('the gate is ready', () => gate.gateway.ready);
    guesser = { port: gate.port, from: '127.0.0.1' };
    neighbour = { port: gate.port, from: '127.0.0.2' };
  });
  beforeEach((context) => {
    if (missing !== null) context.skip(missing);
  });
  afterAll(async () => {
    await gate?.stop();
    await upstream?.stop();
    admin?.close();
    await redis?.stop();
  });

  /** Tokens of accounts that the gate has not met. */
  async function unmet(count: number, name: string): Promise<readonly string[]> {
    const tokens: string[] = [];
    for (let index = 0; index < count; index += 1) {
      tokens.push((await gate.createAccount({ name: `${name}-${index}`, role: 'tester' })).token);
    }
    return tokens;
  }

  async function storeReads(): Promise<number> {
    const stats = String(await admin.call('INFO', 'commandstats'));
    return Number(/cmdstat_evalsha_ro:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  }

  it('hold up no token that is valid, cached or not, from there or elsewhere, and are all refused, counted and kept from the store', async () => {
    const here = await unmet(10, 'here');
    const elsewhere = await unmet(10, 'elsewhere');
    expect(tally(await call(guesser, [gate.token]))).toEqual({ 200: 1 });
    const begunMs = performance.now();
    const first = tally(await call(guesser, guesses(FIRST)));
    // Each second forgives one.
    const forgiven = Math.floor((performance.now() - begunMs) / 1000);
    expect(Object.keys(first).sort()).toEqual(['401', '429']);
    expect(first[401]).toBeGreaterThanOrEqual(60);
    expect(first[401]).toBeLessThanOrEqual(60 + forgiven);
    const readsBefore = await storeReads();

    let answered = 0;
    const flood = Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        const answers = await call(guesser, guesses(PER_CONNECTION));
        answered += 1;
        return answers;
      }),
    );
    const valid = await Promise.all([
      call(guesser, Array(50).fill(gate.token)),
      call(neighbour, Array(50).fill(gate.token)),
      ...here.map((token) => call(guesser, [token])),
      ...elsewhere.map((token) => call(neighbour, [token])),
    ]);
    const answeredBefore = answered;
    const guessed = (await flood).flat();

    expect(tally(valid.flat())).toEqual({ 200: 120 });
    expect(answeredBefore).toBeLessThan(CONNECTIONS);
    expect(tally(guessed)).toEqual({ 429: CONNECTIONS * PER_CONNECTION });
    for (const answer of guessed.slice(0, 100)) {
      const seconds = Number(fieldOf(answer, 'retry-after'));
      expect(seconds).toBeGreaterThanOrEqual(1);
      expect(seconds).toBeLessThanOrEqual(60);
      expect(fieldOf(answer, 'ratelimit-policy')).toBe('"unknown-tokens";q=60;w=60');
      expect(fieldOf(answer, 'ratelimit')).toBe(`"unknown-tokens";r=0;t=${seconds}`);
      expect(JSON.parse(answer.body.toString())).toMatchObject({
        reason: 'guessing-throttled',
        status: 429,
      });
    }
    // Many guesses travel in one command.
    expect((await storeReads()) - readsBefore).toBeLessThan(GUESSES / 10);

    // Whoever guesses is told the same about every token that fails, so that the answer says
    // nothing about any of them.
    const { id, token } = await gate.createAccount({ name: 'inactive', role: 'tester' });
    expect(tally(await call(guesser, [token]))).toEqual({ 200: 1 });
    await gate.administration.deactivateAccount(owner, { id });
    let failing: Message | undefined;
    await until('the deactivation is heard of', async () => {
      failing = (await call(guesser, [token]))[0]!;
      return statusOf(failing) !== 200;
    });
    expect(withoutId(failing!)).toBe(withoutId(guessed[0]!));

    await gate.gateway.close();
    const events = (await wholeLog(gate.control)).map((line) => JSON.parse(line));
    const refused = events.filter(
      ({ phase, decision, account }) =>
        phase === 'decision' && decision === 'refusal' && account === null,
    );
    const folded = refused.filter(({ count }) => count !== undefined);
    expect(refused.length - folded.length + folded.reduce((sum, { count }) => sum + count, 0)).toBe(
      FIRST + GUESSES,
    );
    expect(refused.length).toBeLessThan(60);
    for (const { clientAddress, firstTime, lastTime, count, reasons } of folded) {
      expect(clientAddress).toBe('127.0.0.1');
      expect(firstTime <= lastTime).toBe(true);
      expect(
        Object.values(reasons as Record<string, number>).reduce((sum, one) => sum + one, 0),
      ).toBe(count);
    }
  });
});

function withoutId(message: Message): string {
  return message.body.toString().replace(/"requestId":"[^"]*"/, '');
}
