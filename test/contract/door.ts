import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Door, type DoorOptions, startDoor } from '../integration/door/door.ts';
import { owner } from '../support/gateway.ts';
import { type MessageHead, valuesOf } from '../support/http-bytes.ts';
import type { Step } from '../support/raw-upstream.ts';
import { settled } from '../support/settled.ts';
import {
  answerTo,
  BODY_BYTES,
  BREAKS,
  FAILURES,
  HALF,
  MUCH_BYTES,
  OK,
  ON_ITS_WAY_BYTES,
  PHASES,
  PIECE,
  pathOf,
  REFUSED,
  RESERVED,
  RESPONSES,
  ROUTES,
  startSpring,
} from './door-cases.ts';
import type {
  DoorClient,
  DoorExchange,
  DoorPlace,
  DoorRequest,
  DoorResponse,
  DoorUnderTest,
  FieldList,
} from './door-under-test.ts';

/** Everything that a door promises, whatever its protocol. The upstream's end is HTTP/1.1. */
export function doorContract(under: DoorUnderTest): void {
  let door: Door;
  let clients: DoorClient[];
  const { forwards } = under.powers;
  const describeForwarding: Suite = forwards ? describe : () => {};
  const describeAsking: Suite = forwards ? () => {} : describe;
  const itForwarding: Suite = forwards ? it : () => {};
  /** What the upstream says to requests for a path; `for ID` where there is nothing. */
  let script: Map<string, readonly Step[]>;

  beforeEach(() => {
    clients = [];
    script = new Map();
  });
  afterEach(() => {
    for (const client of clients) client.close();
  });

  async function start(options: DoorOptions = {}): Promise<void> {
    const answer = (request: MessageHead) => script.get(pathOf(request)) ?? answerTo(request);
    door = await startDoor({
      tls: under.tls,
      ...options,
      upstream: { answer, ...options.upstream },
      gateway: {
        routes: ROUTES,
        limits: { bodyBytes: BODY_BYTES },
        http2: { enabled: true },
        ...(forwards ? {} : { decision: {} }),
        ...options.gateway,
      },
    });
  }

  function place(): DoorPlace {
    const { port, caFile, gateway } = door.gate;
    const { decision } = gateway.addresses;
    return { port, caFile, ...(decision === null ? {} : { decisionPort: decision.port }) };
  }

  async function connect(): Promise<DoorClient> {
    const client = await under.connect(place());
    clients.push(client);
    return client;
  }

  /** A request of somebody who may, unless it says otherwise. */
  function request(target: string, changes: Partial<DoorRequest> = {}): DoorRequest {
    const fields = [['authorization', `Bearer ${door.gate.token}`]] as const;
    return { method: 'GET', target, fields, ...changes };
  }

  async function ask(
    client: DoorClient,
    what: DoorRequest,
    ...body: readonly (string | Buffer)[]
  ): Promise<DoorResponse> {
    const exchange = await client.begin(what);
    await exchange.send(...body);
    if (what.length !== undefined) await exchange.endBody();
    return exchange.response();
  }

  const post = (target: string, length: number | null, changes: Partial<DoorRequest> = {}) =>
    request(target, { method: 'POST', length, ...changes });

  /** How the request for this path was decided, and how it ended. */
  async function recorded(path: string, count = 2): Promise<string[]> {
    return (await door.eventsOf(path, count)).map(({ phase, reason }) => `${phase} ${reason}`);
  }

  /** The connection that the request for this path went to is given up. */
  const upstreamLetGo = (path: string) =>
    door.upstream.waitFor('the gate lets go of it', ({ connections }) =>
      connections.some(({ bytes, closed }) => bytes.includes(path) && closed !== 'open'),
    );

  describeForwarding(`a door (${under.name}) that lets a request through`, () => {
    it('says who calls, and passes on no name of its own whatever the client says', async () => {
      await start();
      const theirs = RESERVED.map((name) => [name, 'forged'] as const);
      const fields = [...request('/').fields!, ['x-kept', 'kept'] as const, ...theirs];
      const response = await ask(await connect(), request('/app/who', { fields }));
      expect([response.status, response.whole]).toEqual([200, true]);
      const [sent] = door.upstream.requests;
      expect(valuesOf(sent!, 'x-account-id')).toEqual([door.gate.account.id]);
      expect(valuesOf(sent!, 'x-account-name')).toEqual([door.gate.account.name]);
      expect(valuesOf(sent!, 'x-account-role')).toEqual(['tester']);
      expect(valuesOf(sent!, 'x-forwarded-host')).toEqual(['api.test']);
      expect(valuesOf(sent!, 'x-request-id')).toEqual([fieldOf(response, 'x-request-id')]);
      expect(valuesOf(sent!, 'authorization')).toEqual([]);
      expect(valuesOf(sent!, 'x-kept')).toEqual(['kept']);
      expect(JSON.stringify(sent!.fields)).not.toContain('forged');
      expect(await recorded('/app/who')).toEqual(permitted('permitted'));
    });

    it('says of nobody on a public route who calls', async () => {
      await start();
      const fields = RESERVED.map((name) => [name, 'forged'] as const);
      expect((await ask(await connect(), request('/public', { fields }))).status).toBe(200);
      const [sent] = door.upstream.requests;
      expect(sent!.fields.filter(([name]) => /^x-account/i.test(name))).toEqual([]);
      expect(JSON.stringify(sent!.fields)).not.toContain('forged');
    });
  });

  describe(`a door (${under.name}) that refuses`, () => {
    it('has status, problem details, fields and one decision for every reason', async () => {
      await start();
      await ask(await connect(), request('/limited'));
      door.upstream.clear();
      for (const [reason, status, target, changes, fields = {}] of REFUSED) {
        // Of a body nothing is known to whoever asks.
        if (!forwards && changes?.length !== undefined) continue;
        const client = await connect();
        const what = request(target, changes);
        const response = await ask(client, what, 'x'.repeat(Math.min(what.length ?? 0, 4)));
        const problem = JSON.parse(response.content.toString());
        const isToken = reason.startsWith('token-') && reason !== 'token-missing';
        const shown = isToken ? 'token-refused' : reason;
        expect([response.status, response.whole], reason).toEqual([status, true]);
        expect(problem, reason).toMatchObject({
          type: `urn:sallyport:refusal:${shown}`,
          status,
          reason: shown,
          requestId: fieldOf(response, 'x-request-id'),
        });
        const told = { 'content-type': 'application/problem+json', 'cache-control': 'no-store' };
        for (const [name, value] of Object.entries({ ...told, ...fields }))
          expect(fieldOf(response, name), `${reason}: ${name}`).toMatch(value);
        const events = (await door.events()).filter(({ id }) => id === problem.requestId);
        expect(events.map(({ phase, reason }) => [phase, reason])).toEqual([['decision', reason]]);
      }
      expect(door.upstream.requests).toEqual([]);
    });

    itForwarding(
      'breaks off a body that turns out too long, which its upstream never takes for whole',
      async () => {
        await start();
        const exchange = await (await connect()).begin(post('/app/long', null));
        await exchange.send(Buffer.alloc(BODY_BYTES), 'x').catch(() => {});
        expect((await exchange.response()).status).toBe(413);
        await upstreamLetGo('/app/long');
        expect(door.upstream.requests).toEqual([]);
        expect(await recorded('/app/long')).toEqual(permitted('body-too-large'));
      },
    );
  });

  describeForwarding(`fields behind the content (${under.name})`, () => {
    it('of a request arrive behind its body, without any that only the gate may say', async () => {
      await start();
      const theirs = [...RESERVED, 'Authorization', 'Cookie', 'Host', 'Content-Type', 'Range'];
      const trailers = [
        ...theirs.map((name) => [name.toLowerCase(), 'forged'] as const),
        ['x-checksum', 'a b'] as const,
      ];
      const changes = { length: null, trailers };
      await ask(await connect(), post('/app/up', null, changes), 'hello');
      const [sent] = door.upstream.requests;
      expect(sent!.body.toString()).toBe('hello');
      expect(sent!.trailers).toEqual([['x-checksum', 'a b']]);
      expect(door.upstream.bytes.toString()).not.toContain('forged');
    });

    it('of a response arrive behind its content, without any that belongs into its head', async () => {
      await start();
      const behind = 'Set-Cookie: a=b\r\nX-Account-Id: 1\r\nX-Only-Here: 1\r\nX-Checksum: a b\r\n';
      const head = `${OK}Transfer-Encoding: chunked\r\nConnection: X-Only-Here\r\n\r\n`;
      script.set('/app/down', [{ send: `${head}5\r\nhello\r\n0\r\n${behind}\r\n` }]);
      const fields = [...request('/').fields!, ...under.asksForTrailers];
      const client = await connect();
      const response = await ask(client, request('/app/down', { fields }));
      expect([response.content.toString(), response.whole]).toEqual(['hello', true]);
      expect(response.trailers).toEqual([['x-checksum', 'a b']]);
      expect(valuesOf(door.upstream.requests[0]!, 'te')).toEqual(['trailers']);
      expect((await ask(client, request('/app/next'))).status).toBe(200);
      expect(valuesOf(door.upstream.requests[1]!, 'te')).toEqual([]);
    });
  });

  describeForwarding(`the body of a request (${under.name})`, () => {
    it('arrives as it was sent, piece by piece, of a known length or not, and empty if it is', async () => {
      await start();
      const pieces = ['first', Buffer.from([0, 255, 13, 10]), 'x'.repeat(70_000), 'last'];
      const body = Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
      const client = await connect();
      for (const length of [body.length, null]) {
        door.upstream.clear();
        const exchange = await client.begin(post(`/app/up/${length}`, length));
        for (const piece of pieces) {
          await exchange.send(piece);
          const begin = Buffer.from(piece).subarray(0, 4);
          await door.upstream.waitFor('the piece', ({ bytes }) => bytes.includes(begin));
        }
        await exchange.endBody();
        expect((await exchange.response()).status).toBe(200);
        expect(door.upstream.requests[0]!.body.equals(body)).toBe(true);
        const [, outcome] = await door.eventsOf(`/app/up/${length}`);
        expect(outcome).toMatchObject({ requestBytes: body.length });
      }
      door.upstream.clear();
      for (const length of [undefined, 0, null])
        await ask(client, request('/app/empty', { method: 'POST', length }));
      expect(door.upstream.requests.map(({ body }) => body.length)).toEqual([0, 0, 0]);
    });

    it('waits for an upstream that takes nothing, and arrives once it does', async () => {
      const goOn = Promise.withResolvers<void>();
      const gateway = { limits: {} };
      const onConnect = [{ reading: false }, { until: goOn.promise }, { reading: true }];
      await start({ gateway, upstream: { onConnect } });
      const exchange = await (await connect()).begin(post('/app/big', MUCH_BYTES));
      let sent = 0;
      const sending = (async () => {
        for (; sent < MUCH_BYTES; sent += PIECE.length) await exchange.send(PIECE);
        await exchange.endBody();
      })();
      expect(await settled(() => sent)).toBeLessThan(ON_ITS_WAY_BYTES);
      goOn.resolve();
      await sending;
      expect((await exchange.response()).status).toBe(200);
      expect(door.upstream.requests[0]!.body.length).toBe(MUCH_BYTES);
    });

    if (under.powers.expectations) {
      it('that waits is asked for once its request is permitted, and not when it is refused', async () => {
        await start();
        const permitted = await (await connect()).begin(post('/app/asks', 4, { expects: true }));
        await permitted.interim(100);
        expect(door.upstream.connections).toEqual([]);
        await permitted.send('body');
        expect((await permitted.response()).status).toBe(200);
        const fields: FieldList = [];
        const refused = await ask(await connect(), post('/app/asks', 4, { expects: true, fields }));
        expect([refused.status, refused.interims]).toEqual([401, []]);
      });
    }
  });

  describeForwarding(`the response of an upstream (${under.name})`, () => {
    it('arrives as it was given, whatever its framing', async () => {
      await start();
      const client = await connect();
      for (const [index, [what, method, steps, expected]] of RESPONSES.entries()) {
        const target = `/app/get/${index}`;
        script.set(target, steps);
        const response = await ask(client, request(target, { method }));
        const { status, content, whole, interims } = response;
        expect([status, content.toString(), whole], what).toEqual([...expected, true]);
        expect(fieldOf(response, 'x-own'), what).toBe('1');
        expect(interims.map(([number]) => number)).toEqual(what.includes('103') ? [103] : []);
        for (const [, fields] of interims) expect(fields).toContainEqual(['link', '</a>']);
        const [, outcome] = await door.eventsOf(target);
        const responseBytes = content.length;
        expect(outcome, what).toMatchObject({ reason: 'permitted', status, responseBytes });
      }
    });

    it('comes piece by piece, as its upstream gives it', async () => {
      const goOn = Promise.withResolvers<void>();
      await start();
      script.set('/app/stream', [
        { send: `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n` },
        { until: goOn.promise },
        { send: '4\r\nlast\r\n0\r\n\r\n' },
      ]);
      const exchange = await (await connect()).begin(request('/app/stream'));
      await exchange.content('the first piece', (content) => content.toString() === 'first');
      goOn.resolve();
      expect((await exchange.response()).content.toString()).toBe('firstlast');
    });

    it('waits for a client that takes nothing, and arrives once it does', async () => {
      const upstream = await startSpring();
      await start({ servers: [upstream], upstreamConfig: { addresses: [upstream.url] } });
      const exchange = await (await connect()).begin(request('/app/much'));
      await exchange.head();
      exchange.pause();
      expect(await settled(() => upstream.sent)).toBeLessThan(ON_ITS_WAY_BYTES);
      exchange.resume();
      const { content, whole } = await exchange.response();
      expect([content.length, whole]).toEqual([MUCH_BYTES, true]);
    });

    it('that fails before there is anything of it to give is a 502', async () => {
      await start();
      for (const [index, [when, steps]] of FAILURES.entries()) {
        const target = `/app/fails/${index}`;
        script.set(target, [...steps, { reset: true }]);
        const response = await ask(await connect(), post(target, 0));
        expect([response.status, response.whole], when).toEqual([502, true]);
        expect(JSON.parse(response.content.toString()).reason).toBe('upstream-broken');
        expect(await recorded(target)).toEqual(permitted('upstream-broken'));
      }
    });

    it('that fails later is broken off, and never looks whole', async () => {
      await start();
      for (const [index, [when, steps, last]] of BREAKS.entries()) {
        const target = `/app/breaks/${index}`;
        const goOn = Promise.withResolvers<void>();
        script.set(target, [...steps, { until: goOn.promise }, last]);
        const exchange = await (await connect()).begin(post(target, 0));
        await exchange.content('half of it', (content) => content.toString() === 'half');
        goOn.resolve();
        const { status, whole, content } = await exchange.response();
        expect([status, whole, content.toString()], when).toEqual([200, false, 'half']);
        expect(await recorded(target)).toEqual(permitted('upstream-broken'));
      }
    });
  });

  describeForwarding(`a client (${under.name}) that leaves`, () => {
    it.each(under.departures)(
      'by %s is let go of in every phase, and so on record',
      async (_how, leave) => {
        await start();
        for (const [index, [when, length, pieces, seen]] of PHASES.entries()) {
          const target = `/app/leaves/${index}`;
          script.set(target, []);
          const client = await connect();
          const exchange = await client.begin(post(target, length));
          await exchange.send(...pieces);
          if (seen === '') await expect.poll(() => recorded(target, 1)).toHaveLength(1);
          else await door.upstream.waitFor(when, ({ bytes }) => bytes.includes(seen));
          leave(client, exchange);
          expect(await recorded(target), when).toEqual(permitted('client-aborted'));
          if (seen !== '') await upstreamLetGo(target);
        }
        script.set('/app/down', [{ send: HALF }]);
        const client = await connect();
        const exchange = await client.begin(request('/app/down'));
        await exchange.content('half', (content) => content.length === 4);
        leave(client, exchange);
        await upstreamLetGo('/app/down');
        expect(await recorded('/app/down')).toEqual(permitted('client-aborted'));
      },
    );
  });

  describeForwarding(`a token that is revoked (${under.name})`, () => {
    const revoke = () => door.gate.administration.rotateToken(owner, { id: door.gate.account.id });

    it('in a response breaks it off', async () => {
      await start();
      script.set('/app/down', [{ send: HALF }]);
      const exchange = await (await connect()).begin(request('/app/down'));
      await exchange.content('half', (content) => content.length === 4);
      await revoke();
      expect((await exchange.response()).whole).toBe(false);
      await upstreamLetGo('/app/down');
      expect(await recorded('/app/down')).toEqual(permitted('token-revoked'));
    });

    it('before its response is a refusal, and its upstream gets nothing more', async () => {
      await start();
      const exchange = await (await connect()).begin(post('/app/up', 1000));
      await exchange.send('part');
      await door.upstream.waitFor('the part', ({ bytes }) => bytes.includes('part'));
      await revoke();
      await exchange.send('more').catch(() => {});
      const { status, content } = await exchange.response();
      expect([status, JSON.parse(content.toString()).reason]).toEqual([401, 'token-refused']);
      await upstreamLetGo('/app/up');
      expect(door.upstream.bytes.includes('more')).toBe(false);
      expect(await recorded('/app/up')).toEqual(permitted('token-revoked'));
    });
  });

  describeForwarding(`a gate that closes (${under.name})`, () => {
    it('ends what is idle, takes nothing new, and lets what is under way finish', async () => {
      const goOn = Promise.withResolvers<void>();
      await start();
      script.set('/app/down', [
        { send: `${OK}Content-Length: 8\r\n\r\nhalf` },
        { until: goOn.promise },
        { send: 'half' },
      ]);
      const idle = await connect();
      await ask(idle, request('/app/idle'));
      expect(idle.usable).toBe(true);
      const reading = await connect();
      const download = await reading.begin(request('/app/down'));
      await download.content('half', (content) => content.length === 4);
      const sending = await connect();
      const upload = await sending.begin(post('/app/up', 8));
      await upload.send('half');
      await door.upstream.waitFor('the half', ({ bytes }) => bytes.includes('half'));
      const closed = door.close();
      await idle.ended();
      idle.close();
      await expect(under.connect(place())).rejects.toThrow();
      await upload.send('half');
      goOn.resolve();
      const whole = async (exchange: DoorExchange) => {
        const response = await exchange.response();
        return [response.status, response.whole];
      };
      expect(await Promise.all([whole(download), whole(upload)])).toEqual([
        [200, true],
        [200, true],
      ]);
      for (const client of [reading, sending]) {
        await client.ended();
        expect(client.usable).toBe(false);
        client.close();
      }
      await closed;
      const ends = (await door.events()).filter(({ phase }) => phase === 'outcome');
      expect(ends.map(({ reason }) => reason)).toEqual(Array(3).fill('permitted'));
    });
  });

  describeAsking(`a door (${under.name}) that is asked`, () => {
    const theirs = () => RESERVED.filter((name) => /^x-account/i.test(name));
    const said = ({ fields }: DoorResponse) =>
      Object.fromEntries(fields.filter(([name]) => name.startsWith('x-account-')));

    it('says who calls, by no name that the caller has sent, and has one decision', async () => {
      await start();
      const fields = [
        ...request('/').fields!,
        ...theirs().map((name) => [name, 'forged'] as const),
      ];
      const response = await ask(await connect(), request('/app/who', { fields }));
      const { id, name } = door.gate.account;
      expect([response.status, response.whole]).toEqual([200, true]);
      expect(said(response)).toMatchObject({ 'x-account-id': id, 'x-account-name': name });
      expect(JSON.stringify(response.fields)).not.toContain('forged');
      const nobody = await ask(await connect(), request('/public', { fields }));
      expect(new Set(Object.values(said(nobody)))).toEqual(new Set(['']));
      expect(await recorded('/app/who', 1)).toEqual(['decision permitted']);
      expect(door.upstream.connections).toEqual([]);
    });

    it('ends what is idle when its gate closes, and takes nothing new', async () => {
      await start();
      const idle = await connect();
      expect((await ask(idle, request('/app/idle'))).status).toBe(200);
      expect(idle.usable).toBe(true);
      const closed = door.close();
      await idle.ended();
      idle.close();
      await expect(under.connect(place())).rejects.toThrow();
      await closed;
    });
  });

  describe(`many requests on one connection (${under.name})`, () => {
    /** Of each kind: a body, none, a refusal, a response to HEAD. */
    const kinds = (number: number): DoorRequest => {
      const target = `/app/${number}`;
      if (number % 4 === 0) return request(target);
      if (number % 4 === 1) return post(target, number % 8 === 1 ? 5 : null);
      return number % 4 === 2 ? request('/denied') : request(target, { method: 'HEAD' });
    };
    const isOwn = (number: number, response: DoorResponse) => {
      const id = fieldOf(response, 'x-request-id');
      const content = response.content.toString();
      if (number % 4 === 2) expect(JSON.parse(content).requestId).toBe(id);
      else if (!forwards) expect(fieldOf(response, 'x-account-id')).toBe(door.gate.account.id);
      else expect(content).toBe(number % 4 === 3 ? '' : `for ${id} at /app/${number}`);
    };
    const one = async (client: DoorClient, number: number) => {
      const what = kinds(number);
      isOwn(number, await ask(client, what, ...(what.length === undefined ? [] : ['hello'])));
    };

    it('in turn have each their own response', async () => {
      await start();
      const client = await connect();
      for (let number = 0; number < 40; number += 1) await one(client, number);
      expect(client.usable).toBe(true);
      expect(door.upstream.faults).toEqual([]);
    });

    if (under.powers.concurrent) {
      it('at the same time have each their own response', async () => {
        await start();
        const client = await connect();
        await Promise.all(Array.from({ length: 40 }, (_, number) => one(client, number)));
        expect(client.usable).toBe(true);
      });
    }
  });
}

/** What is only of doors that forward, or of those that are asked, is no test of the others. */
type Suite = (what: string, holds: () => void | Promise<void>) => void;

/** What is on record of a permit that ended so. */
const permitted = (end: string) => ['decision permitted', `outcome ${end}`];

function fieldOf({ fields }: DoorResponse, name: string): string {
  return fields.find(([known]) => known === name)?.[1] ?? '';
}
