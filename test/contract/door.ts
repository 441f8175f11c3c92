import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newToken } from '../../src/account/token.ts';
import { type Door, type DoorOptions, startDoor } from '../integration/door/door.ts';
import { owner } from '../support/gateway.ts';
import { type MessageHead, valuesOf } from '../support/http-bytes.ts';
import type { Step } from '../support/raw-upstream.ts';

/** Names and values; those of responses with names in lower case. */
export type FieldList = readonly (readonly [name: string, value: string])[];

/** A request as values. Nothing of a protocol stands in them. */
export interface DoorRequest {
  readonly method: string;
  readonly target: string;
  /** Default `api.test`. */
  readonly authority?: string;
  readonly fields?: FieldList;
  /** Of its body, in bytes; null = not known beforehand. Absent: there is no body. */
  readonly length?: number | null | undefined;
  /** The body waits until the server says that it wants it. Only of doors with that power. */
  readonly expects?: boolean;
}

export interface DoorResponse {
  readonly status: number;
  readonly fields: FieldList;
  readonly content: Buffer;
  readonly interims: readonly (readonly [status: number, fields: FieldList])[];
  /** False: its client cannot take it for a whole one. */
  readonly whole: boolean;
}

/**
 * One request under way, as its client has it. What waits throws when its connection ends first.
 */
export interface DoorExchange {
  /** Pieces of the body. Resolves once the connection has taken them: it may have to wait. */
  send(...pieces: readonly (string | Buffer)[]): Promise<void>;
  endBody(): Promise<void>;
  /** Takes nothing of the response any more. */
  pause(): void;
  resume(): void;
  /** @returns the fields of the interim response with this status, once it is here */
  interim(status: number): Promise<FieldList>;
  /** Once it is here. */
  head(): Promise<Pick<DoorResponse, 'status' | 'fields'>>;
  /** Until what is here of the content holds it. */
  content(what: string, holds: (content: Buffer) => boolean): Promise<void>;
  /** Until nothing more comes of it: then it is whole, or broken. */
  response(): Promise<DoorResponse>;
}

/** A client's connection. */
export interface DoorClient {
  /** Another request may be sent on it, as far as this client has been told. */
  readonly usable: boolean;
  /** Sends the head of a request. Its body follows. */
  begin(request: DoorRequest): Promise<DoorExchange>;
  /** Until the gate has ended it. */
  ended(): Promise<void>;
  close(): void;
}

/** A door, by a client that speaks its protocol, with the powers that the protocol gives. */
export interface DoorUnderTest {
  readonly name: string;
  readonly tls: boolean;
  readonly powers: {
    /** Several requests at the same time on one connection. */
    readonly concurrent: boolean;
    /** A request's body can wait until it is wanted (RFC 9110 §10.1.1). */
    readonly expectations: boolean;
  };
  /** Every way in which a client can give up what it has asked for. */
  readonly departures: readonly (readonly [
    how: string,
    leave: (client: DoorClient, exchange: DoorExchange) => void,
  ])[];
  /** Rejects when the gate takes no connection. */
  connect(gate: { readonly port: number; readonly caFile: string }): Promise<DoorClient>;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'];
const KNOWN = { application: 'any', permission: 'test:all', upstream: 'raw' } as const;
const LIMIT = { requests: 1, windowSeconds: 3600, per: 'account' } as const;
const ROUTES = [
  { name: 'app', path: '/app/**', methods: METHODS, ...KNOWN },
  { name: 'readonly', path: '/readonly', methods: ['GET'], ...KNOWN },
  { name: 'limited', path: '/limited', methods: ['GET'], ...KNOWN, rateLimit: LIMIT },
  { name: 'denied', path: '/denied', methods: ['GET'], ...KNOWN, permission: 'other:thing' },
  { name: 'public', path: '/public', access: 'public', upstream: 'raw' },
];
const BODY_BYTES = 1_000_000;

/** Everything that a door promises, whatever its protocol. The upstream's end is HTTP/1.1. */
export function doorContract(under: DoorUnderTest): void {
  let door: Door;
  let clients: DoorClient[];
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
      gateway: { routes: ROUTES, limits: { bodyBytes: BODY_BYTES }, ...options.gateway },
    });
  }

  async function connect(): Promise<DoorClient> {
    const client = await under.connect(door.gate);
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

  describe(`a door (${under.name}) that lets a request through`, () => {
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

    it('breaks off a body that turns out too long, which its upstream never takes for whole', async () => {
      await start();
      const exchange = await (await connect()).begin(post('/app/long', null));
      await exchange.send(Buffer.alloc(BODY_BYTES), 'x').catch(() => {});
      expect((await exchange.response()).status).toBe(413);
      await upstreamLetGo('/app/long');
      expect(door.upstream.requests).toEqual([]);
      expect(await recorded('/app/long')).toEqual(permitted('body-too-large'));
    });
  });

  describe(`the body of a request (${under.name})`, () => {
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

  describe(`the response of an upstream (${under.name})`, () => {
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

  describe(`a client (${under.name}) that leaves`, () => {
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

  describe(`a token that is revoked (${under.name})`, () => {
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

  describe(`a gate that closes (${under.name})`, () => {
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
      await expect(under.connect(door.gate)).rejects.toThrow();
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

const OK = 'HTTP/1.1 200 OK\r\nX-Own: 1\r\n';
const HALF = `${OK}Content-Length: 1000\r\n\r\nhalf`;

/** What is on record of a permit that ended so. */
const permitted = (end: string) => ['decision permitted', `outcome ${end}`];

const pathOf = ({ line }: MessageHead) => line.split(' ')[1]!;

/** Says whose it is, so that a mix-up is seen. */
function answerTo(request: MessageHead): readonly Step[] {
  const content = `for ${valuesOf(request, 'x-request-id')[0]} at ${pathOf(request)}`;
  const head = `${OK}Content-Length: ${content.length}\r\n\r\n`;
  return [{ send: request.line.startsWith('HEAD') ? head : head + content }];
}

function fieldOf({ fields }: DoorResponse, name: string): string {
  return fields.find(([known]) => known === name)?.[1] ?? '';
}

/** Some of the names that only the gate may say to an upstream. */
const RESERVED = [
  'X-Account-Id',
  'X-ACCOUNT-NAME',
  'x-account-role',
  'X-Account-Teams',
  'X-Account-Applications',
  'X-Account-Anything',
  'X-Request-Id',
  'Forwarded',
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'X-Real-Ip',
  'Client-Ip',
  'X-Http-Method-Override',
  'Proxy-Authorization',
];

const REFUSED: readonly (readonly [
  reason: string,
  status: number,
  target: string,
  changes?: Partial<DoorRequest>,
  fields?: Readonly<Record<string, RegExp | string>>,
])[] = [
  [
    'token-missing',
    401,
    '/app/1',
    { fields: [] },
    { 'www-authenticate': /^Bearer realm="[^"]*"$/ },
  ],
  ['token-malformed', 401, '/app/2', bearer('nonsense'), { 'www-authenticate': /invalid_token/ }],
  [
    'token-unknown',
    401,
    '/app/3',
    bearer(newToken('AAAAAAAAAAAA')),
    { 'www-authenticate': /invalid_token/ },
  ],
  ['route-unknown', 404, '/nowhere'],
  ['method-refused', 405, '/readonly', { method: 'DELETE' }, { allow: /^GET$/ }],
  ['permission-denied', 403, '/denied', {}, { 'www-authenticate': /insufficient_scope/ }],
  ['body-refused', 400, '/app/4', { length: 4 }],
  ['target-ambiguous', 400, '/app/%2e%2e/4'],
  ['body-too-large', 413, '/app/5', { method: 'POST', length: BODY_BYTES + 1 }],
  ['rate-limited', 429, '/limited', {}, { 'retry-after': /^\d+$/ }],
  ['method-unknown', 501, '/app/6', { method: 'BREW' }],
];

function bearer(token: string): Partial<DoorRequest> {
  return { fields: [['authorization', `Bearer ${token}`]] };
}

const RESPONSES: readonly (readonly [
  what: string,
  method: string,
  steps: readonly Step[],
  expected: readonly [status: number, content: string],
])[] = [
  ['with a length', 'GET', [{ send: `${OK}Content-Length: 4\r\n\r\nbody` }], [200, 'body']],
  [
    'without a length',
    'GET',
    [{ send: `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n` }],
    [200, 'body'],
  ],
  ['that its connection ends', 'GET', [{ send: `${OK}\r\nbody` }, { end: true }], [200, 'body']],
  ['without content', 'GET', [{ send: `${OK}Content-Length: 0\r\n\r\n` }], [200, '']],
  ['204', 'DELETE', [{ send: 'HTTP/1.1 204 No Content\r\nX-Own: 1\r\n\r\n' }], [204, '']],
  ['304', 'GET', [{ send: 'HTTP/1.1 304 Not Modified\r\nX-Own: 1\r\n\r\n' }], [304, '']],
  ['to HEAD', 'HEAD', [{ send: `${OK}Content-Length: 4\r\n\r\n` }], [200, '']],
  [
    'after an interim one, 103',
    'GET',
    [
      {
        send: `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}Content-Length: 4\r\n\r\nbody`,
      },
    ],
    [200, 'body'],
  ],
];

const FAILURES: readonly (readonly [when: string, steps: readonly Step[]])[] = [
  ['before its head', []],
  ['in its head', [{ send: 'HTTP/1.1 200 OK\r\nContent-' }]],
  ['with what is no response', [{ send: 'nonsense\r\n\r\n' }]],
];

const CHUNK = `${OK}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`;
const BREAKS: readonly (readonly [when: string, steps: readonly Step[], last: Step])[] = [
  ['within its length, by a reset', [{ send: HALF }], { reset: true }],
  ['within its length, by an end', [{ send: HALF }], { end: true }],
  ['before its end, by a reset', [{ send: CHUNK }], { reset: true }],
  ['before its end, by an end', [{ send: CHUNK }], { end: true }],
];

/** Of a request with a body: what its client has sent of it, and what its upstream has seen. */
const PHASES: readonly (readonly [
  when: string,
  length: number,
  pieces: readonly string[],
  seen: string,
])[] = [
  ['before its body', 4, [], ''],
  ['in its body', 1000, ['part'], 'part'],
  ['while its upstream thinks', 4, ['body'], 'body'],
];

const PIECE = Buffer.alloc(100_000, 'x');
const MUCH_BYTES = 40_000_000;
/** What the kernel and the gate may hold at most; a gate that kept all would be far past it. */
const ON_ITS_WAY_BYTES = 30_000_000;

/** The amount once it has not grown for a while. */
async function settled(amount: () => number): Promise<number> {
  for (let before = -1; ; ) {
    const now = amount();
    if (now === before && now > 0) return now;
    before = now;
    await sleep(150);
  }
}

/** An upstream that answers with as much as it gets rid of. */
async function startSpring() {
  const sockets = new Set<Socket>();
  const spring = { sent: 0, url: '', stop: async () => {} };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(`${OK}Content-Length: ${MUCH_BYTES}\r\n\r\n`);
      const pour = () => {
        while (spring.sent < MUCH_BYTES) {
          spring.sent += PIECE.length;
          if (!socket.write(PIECE)) return;
        }
      };
      socket.on('drain', pour);
      pour();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  spring.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  spring.stop = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  return spring;
}
