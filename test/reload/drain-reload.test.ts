import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { answerFor, type Door, startDoor } from '../integration/door/door.ts';
import { readResponses, statusOf, valuesOf } from '../support/http-bytes.ts';
import { connectRaw } from '../support/raw-client.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

describe.each([{ tls: false }, { tls: true }])('a gate that drains (TLS: $tls)', ({ tls }) => {
  it('closes what is idle, lets what is under way finish and says that it is the last, and takes nothing new', async () => {
    const go = Promise.withResolvers<void>();
    const door = await startDoor({
      tls,
      upstream: {
        answer: (request) =>
          request.line.includes('/body')
            ? [
                { send: 'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf' },
                { until: go.promise },
                { send: 'half' },
              ]
            : [
                { until: request.line.includes('/wait') ? go.promise : Promise.resolve() },
                ...answerFor(request),
              ],
      },
    });
    const idle = await door.connect();
    await idle.send(door.head('GET /idle'));
    await idle.waitFor('its answer', (bytes) => bytes.includes('for '));
    const waiting = await door.connect();
    const uploading = await door.connect(['POST']);
    const reading = await door.connect();
    await waiting.send(door.head('GET /wait') + door.head('GET /pipelined'));
    await uploading.send(door.head('POST /up', 'Content-Length: 8'), 'half');
    await reading.send(door.head('GET /body'));
    await reading.waitFor('half', (bytes) => bytes.includes('half'));
    await door.upstream.waitFor(
      'all',
      ({ bytes }) => bytes.includes('/wait') && bytes.includes('half'),
    );

    const closed = door.close();
    await idle.waitForClose();
    await expect(connectRaw({ port: door.gate.port })).rejects.toThrow('ECONNREFUSED');
    await uploading.send('half');
    go.resolve();
    const answers = await Promise.all(
      [waiting, uploading, reading].map((client) => client.waitForClose()),
    );
    await closed;
    const [waited, uploaded, read] = answers.map((bytes, index) =>
      readResponses(bytes, index === 1 ? ['POST'] : []),
    );
    expect(waited!.map(statusOf)).toEqual([200]);
    expect(valuesOf(waited![0]!, 'connection')).toEqual(['close']);
    expect([statusOf(uploaded![0]!), valuesOf(uploaded![0]!, 'connection')]).toEqual([
      200,
      ['close'],
    ]);
    expect(read![0]!.body.toString()).toBe('halfhalf');
    expect([waiting, uploading, reading].map((client) => client.closed)).toEqual([
      'end',
      'end',
      'end',
    ]);
    expect(door.gate.log.some((line) => line.includes('cut off'))).toBe(false);
  });

  it('ends within drainMs even when something never ends, and records how that ended', async () => {
    const half = 'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf';
    const door = await startDoor({
      tls,
      upstream: { answer: ({ line }) => (line.includes('/half') ? [{ send: half }] : []) },
    });
    const [never, reading, uploading] = [
      await door.connect(),
      await door.connect(),
      await door.connect(['POST']),
    ];
    await never.send(door.head('GET /never'));
    await reading.send(door.head('GET /half'));
    await reading.waitFor('half', (bytes) => bytes.includes('half'));
    await uploading.send(door.head('POST /upload', 'Content-Length: 8'), 'half');
    await door.upstream.waitFor('all', ({ requests, bytes }) => {
      return requests.length === 2 && bytes.includes('/upload');
    });
    await door.close(); // drainMs is 2000 in the test gate
    expect((await never.waitForClose()).toString()).toMatch(/^HTTP\/1\.1 503 .*"draining"/s);
    expect((await reading.waitForClose()).toString()).toMatch(/half$/);
    expect((await uploading.waitForClose()).toString()).toMatch(/^HTTP\/1\.1 503 .*"draining"/s);
    expect([never.closed, reading.closed, uploading.closed]).toEqual(['end', 'reset', 'end']);
    expect(door.gate.log.some((line) => line.includes('cut off'))).toBe(true);
    const endings: unknown[] = [];
    for (const path of ['/never', '/half', '/upload']) {
      const [, outcome] = await door.eventsOf(path);
      endings.push([outcome!.reason, outcome!.status, outcome!.responseBytes]);
    }
    expect(endings).toEqual([
      ['draining', 503, 0],
      ['draining', 200, 4],
      ['draining', 503, 0],
    ]);
  });
});

/** The test gate's configuration with some top-level keys replaced. */
function changed(door: Door, keys: Readonly<Record<string, unknown>>): Config {
  const text = {
    instance: { name: 'test', dataDir: door.gate.dataDir },
    listen: { proxy: { address: '127.0.0.1:0', plaintext: true } },
    store: { kind: 'embedded' },
    routes: [
      {
        name: 'all',
        path: '/{part}/**',
        methods: ['GET', 'POST'],
        application: 'any',
        permission: 'test:all',
        upstream: 'raw',
      },
    ],
    ...keys,
  };
  return parseConfig(JSON.stringify(text), join(door.gate.dataDir, 'test.yaml')).config;
}

describe('a reload under load', () => {
  it('fails no call: what is under way finishes where it began, what comes goes where it now belongs', async () => {
    const next = await startRawUpstream({ answer: answerFor });
    const go = Promise.withResolvers<void>();
    const door = await startDoor({
      upstream: {
        answer: (request) =>
          request.line.includes('/wait')
            ? [{ until: go.promise }, ...answerFor(request)]
            : answerFor(request),
      },
    });
    try {
      const waiting = await door.connect();
      await waiting.send(door.head('GET /wait/long'));
      await door.upstream.waitFor('the call', ({ requests }) => requests.length === 1);
      let stop = false;
      const statuses: number[] = [];
      let answers = 0;
      const load = Array.from({ length: 4 }, async () => {
        const client = await door.connect();
        for (let count = 1; !stop; count += 1) {
          // few enough for the records to be read at once
          await client.send(door.head('GET /call/x'), 10);
          await client.waitFor(
            'an answer',
            (bytes) =>
              bytes.toString('latin1').split('\nfor ').length +
                bytes.toString('latin1').split('}\n').length >
              count + 1,
          );
          answers += 1;
        }
        statuses.push(...readResponses(client.bytes, [], false).map(statusOf));
      });
      for (let round = 0; round < 10; round += 1) {
        const address = round % 2 === 0 ? next.url : door.upstream.url;
        door.gate.gateway.reload(changed(door, { upstreams: { raw: { addresses: [address] } } }));
        const enough = answers + 4;
        await expect.poll(() => answers).toBeGreaterThan(enough);
      }
      door.gate.gateway.reload(changed(door, { upstreams: { raw: { addresses: [next.url] } } }));
      stop = true;
      await Promise.all(load);
      expect(statuses.length).toBeGreaterThan(20);
      expect(new Set(statuses)).toEqual(new Set([200]));
      go.resolve();
      await waiting.waitFor('the long call', (bytes) => bytes.includes('for '));
      const before = door.upstream.requests.length;
      await waiting.send(door.head('GET /after/reload', 'Connection: close'));
      expect(readResponses(await waiting.waitForClose()).map(statusOf)).toEqual([200, 200]);
      expect(door.upstream.requests.length).toBe(before);
      // No connection stays open to an address that is no longer named.
      await door.upstream.waitFor('all closed', ({ connections }) =>
        connections.every(({ closed }) => closed !== 'open'),
      );
    } finally {
      await next.stop();
    }
  });

  it('takes the routes and limits of the new configuration from the next request on', async () => {
    const door = await startDoor();
    const client = await door.connect(['GET', 'POST', 'GET']);
    await client.send(door.head('GET /one/x'));
    await client.waitFor('an answer', (bytes) => bytes.includes('for '));
    const upstreams = { raw: { addresses: [door.upstream.url] } };
    const routes = [
      {
        name: 'two',
        path: '/two',
        methods: ['GET', 'POST'],
        application: 'any',
        permission: 'test:all',
        upstream: 'raw',
      },
    ];
    door.gate.gateway.reload(changed(door, { upstreams, routes, limits: { bodyBytes: 10 } }));
    await client.send(door.head('GET /one/x') + door.head('POST /two', 'Content-Length: 11'));
    expect(
      readResponses(await client.waitForClose(), ['GET', 'GET', 'POST']).map(statusOf),
    ).toEqual([200, 404, 413]);
  });
});
