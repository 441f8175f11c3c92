import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { expect, it } from 'vitest';
import { startDoor } from '../integration/door/door.ts';
import { readResponses, statusOf, valuesOf } from '../support/http-bytes.ts';

/** Long enough for what is done in it, on a machine that stands still for a while. */
const LAME_DUCK_MS = 3000;

function instance(dataDir: string) {
  return { name: 'test', dataDir, lameDuckMs: LAME_DUCK_MS, drainMs: 2000 };
}

it.each([{ tls: false }, { tls: true }])(
  'is not ready, but answers kept and new connections and closes each after its answer, before it closes its port (TLS: $tls)',
  async ({ tls }) => {
    const door = await startDoor({ tls });
    const { gateway, config, opsUrl, dataDir } = door.gate;
    // A reload takes it over: the deadlines of the end count when it comes.
    gateway.reload({ ...config, instance: { ...config.instance, ...instance(dataDir) } });
    const kept = await door.connect();
    await kept.send(door.head('GET /before'));
    await kept.waitFor('its answer', (bytes) => bytes.includes('for '));
    const idle = await door.connect();
    await idle.send(door.head('GET /idle'));
    await idle.waitFor('its answer', (bytes) => bytes.includes('for '));

    let ended = false;
    const closing = door.close().then(() => {
      ended = true;
    });
    expect((await fetch(`${opsUrl}/readyz`)).status).toBe(503);
    await kept.send(door.head('GET /after'));
    const fresh = await door.connect();
    await fresh.send(door.head('GET /fresh'));
    const said = await Promise.all([kept, fresh].map((client) => client.waitForClose()));
    const [[before, after], [first]] = said.map((bytes) => readResponses(bytes)) as [Heads, Heads];
    expect([before, after, first].map((head) => statusOf(head!))).toEqual([200, 200, 200]);
    expect([before, after, first].map((head) => valuesOf(head!, 'connection'))).toEqual([
      [],
      ['close'],
      ['close'],
    ]);
    // What nobody used is closed with the port, not before.
    expect([idle.closed, ended]).toEqual(['open', false]);
    await idle.waitForClose();
    for (const client of [kept, fresh, idle]) client.end();
    await closing;
  },
);

type Heads = ReturnType<typeof readResponses>;

it('says on the admin listener, too, that an answer is the last one', async () => {
  const door = await startDoor({ gateway: { admin: {} } });
  const { gateway, config, caFile, dataDir, token } = door.gate;
  gateway.reload({ ...config, instance: { ...config.instance, ...instance(dataDir) } });
  const agent = new Agent({ keepAlive: true, ca: readFileSync(caFile), servername: 'localhost' });
  const ask = () =>
    new Promise<string | undefined>((resolve, reject) => {
      const asked = request(
        {
          host: '127.0.0.1',
          port: gateway.addresses.admin!.port,
          path: '/api/v1/service-accounts',
          headers: { authorization: `Bearer ${token}` },
          agent,
        },
        (response) => {
          response.resume().once('end', () => resolve(response.headers.connection));
        },
      );
      asked.once('error', reject).end();
    });
  expect(await ask()).toBe('keep-alive');
  const closing = door.close();
  expect(await ask()).toBe('close');
  agent.destroy();
  await closing;
});

it('leaves the step out when somebody waits at a terminal', async () => {
  const door = await startDoor();
  const { gateway, config, dataDir } = door.gate;
  const patient = { ...instance(dataDir), lameDuckMs: 3_600_000 };
  gateway.reload({ ...config, instance: { ...config.instance, ...patient } });
  await door.close({ lameDuck: false });
  // Ends: an hour is more than the test has.
});
