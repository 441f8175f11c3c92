import { afterAll, beforeAll, expect, it } from 'vitest';
import { readResponses } from '../support/http-bytes.ts';
import { connectRaw } from '../support/raw-client.ts';
import { type GuardedUpstream, request, startGuarded } from './gate.ts';

/**
 * Plain HTTP on the port that speaks TLS: refused, and what was sent in the clear is taken for
 * stolen.
 */

let guarded: GuardedUpstream;

beforeAll(async () => {
  guarded = await startGuarded();
});
afterAll(() => guarded.stop());

const plainly = (text: string) => guarded.ask(text, { plaintext: true });
const warnings = () => guarded.gate.log.filter((line) => line.includes('plain HTTP'));

async function lastDecision(): Promise<Readonly<Record<string, unknown>>> {
  return (await guarded.gate.events()).filter((event) => event.phase === 'decision').at(-1)!;
}

it('is refused with a valid token, which is recorded and logged as exposed', async () => {
  const before = warnings().length;
  for (const field of [
    guarded.authorization,
    `authorization: bearer ${guarded.gate.token}`,
    `Authorization: ${guarded.gate.token}`,
  ]) {
    const outcome = await plainly(request('GET /apps/one HTTP/1.1', [field]));
    expect([outcome.status, outcome.reason, outcome.forwarded]).toEqual([
      403,
      'plaintext-refused',
      [],
    ]);
    expect(outcome.text).toContain('Connection: close\r\n');
    expect(await lastDecision()).toMatchObject({
      reason: 'plaintext-refused',
      claimedAccountId: guarded.gate.account.id,
      account: null,
      path: '/apps/one',
    });
  }
  expect(warnings().length).toBeGreaterThan(before);
  expect(warnings().at(-1)).toContain(guarded.gate.account.id);
});

it('is refused without a token, with one that is none, and on public routes, and then nothing is flagged', async () => {
  const before = warnings().length;
  for (const text of [
    request('GET /apps/one HTTP/1.1'),
    request('GET /public/x HTTP/1.1'),
    request('GET / HTTP/1.1', ['Authorization: Bearer nonsense']),
    'GET / HTTP/1.1\r\nno field\r\n\r\n',
    'nonsense\n\n',
  ]) {
    const outcome = await plainly(text);
    expect([outcome.status, outcome.reason, outcome.forwarded]).toEqual([
      403,
      'plaintext-refused',
      [],
    ]);
    expect((await lastDecision()).claimedAccountId).toBeUndefined();
  }
  expect(warnings()).toHaveLength(before);
});

it('gets one answer and no second chance on its connection', async () => {
  const client = await connectRaw({ port: guarded.port });
  await client.send(request('GET /apps/one HTTP/1.1', [guarded.authorization]).repeat(3));
  const answers = readResponses(await client.waitForClose());
  expect(answers).toHaveLength(1);
  expect(guarded.upstream.requests).toEqual([]);
});

it('leaves the port to those who speak TLS', async () => {
  await plainly(request('GET /apps/one HTTP/1.1'));
  const outcome = await guarded.ask(request('GET /apps/one HTTP/1.1', [guarded.authorization]));
  expect([outcome.status, outcome.forwarded.length]).toEqual([200, 1]);
});
