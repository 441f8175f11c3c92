import { afterEach, beforeEach, expect, it } from 'vitest';
import { CHECK_PATH } from '../../src/doors/decision/check.ts';
import { http1Door } from '../contract/door-http1.ts';
import { http2Door } from '../contract/door-http2.ts';
import type { DoorRequest, DoorUnderTest } from '../contract/door-under-test.ts';
import { CheckClient, checkRequest } from '../support/ext-authz/client.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';

/** The end of a gate, as those see it who ask at its decision endpoint. */
let gate: TestGateway;
const LAME_DUCK_MS = 3000;

beforeEach(async () => {
  gate = await startGateway({
    upstreams: { none: { addresses: ['http://127.0.0.1:9'] } },
    plaintext: true,
    decision: {},
  });
});
afterEach(() => gate.stop());

const place = () => ({ port: gate.gateway.addresses.decision!.port, caFile: '' });
const mine = () => ['authorization', `Bearer ${gate.token}`] as const;

const question = (): DoorRequest => ({ method: 'GET', target: '/ext-authz/app', fields: [mine()] });
const check = () => checkRequest({ method: 'GET', target: '/app', fields: [mine().join(': ')] });

async function statusOf(client: Awaited<ReturnType<DoorUnderTest['connect']>>) {
  return (await (await client.begin(question())).response()).status;
}

it('answers them as before until it closes its ports, and says that each answer is the last', async () => {
  const { gateway, config, opsUrl } = gate;
  gateway.reload({ ...config, instance: { ...config.instance, lameDuckMs: LAME_DUCK_MS } });
  const doors = [http1Door(false), http2Door(false)];
  const kept = await Promise.all(doors.map((door) => door.connect(place())));
  const envoy = new CheckClient(place().port);
  for (const client of kept) expect([await statusOf(client), client.usable]).toEqual([200, true]);
  expect((await envoy.ask(check())).status.code).toBe(0);
  const closing = gateway.close();
  expect((await fetch(`${opsUrl}/readyz`)).status).toBe(503);
  const fresh = await Promise.all(doors.map((door) => door.connect(place())));
  // Of HTTP/2 whoever has asked is told at once, and asks nothing more on its connection.
  await expect.poll(() => kept[1]!.usable).toBe(false);
  for (const client of [kept[0]!, ...fresh])
    expect([await statusOf(client), client.usable]).toEqual([200, false]);
  expect((await envoy.ask(check())).status.code).toBe(0);
  for (const client of [...kept, ...fresh]) client.close();
  envoy.close();
  await closing;
  for (const door of doors) await expect(door.connect(place())).rejects.toThrow();
});

it('says no to whoever has not asked to the end when its time is over', async () => {
  const half: DoorRequest = {
    method: 'POST',
    target: '/verify',
    fields: [['content-type', 'application/json']],
    length: 100,
  };
  const grpc = {
    ...half,
    target: CHECK_PATH,
    fields: [['content-type', 'application/grpc']] as const,
  };
  const asked = await Promise.all(
    (
      [
        [http1Door(false), half],
        [http2Door(false), half],
        [http2Door(false), grpc],
      ] as const
    ).map(async ([door, request]) => {
      const client = await door.connect(place());
      const exchange = await client.begin(request);
      await exchange.send('half');
      return { client, exchange };
    }),
  );
  const closing = gate.gateway.close();
  const told = await Promise.all(asked.map(({ exchange }) => exchange.response()));
  const [inJson, overHttp2, overGrpc] = told;
  for (const verdict of [inJson!, overHttp2!]) {
    expect([verdict.status, verdict.whole]).toEqual([503, true]);
    expect(JSON.parse(verdict.content.toString())).toMatchObject({
      permitted: false,
      reason: 'draining',
    });
  }
  // A verdict like every other: not for `failure_mode_allow` to decide about.
  expect([overGrpc!.status, overGrpc!.whole]).toEqual([200, true]);
  expect(overGrpc!.content.toString()).toContain('"reason":"draining"');
  for (const { client } of asked) client.close();
  await closing;
});
