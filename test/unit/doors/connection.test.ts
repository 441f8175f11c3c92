import type { Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Call } from '../../../src/calls/call.ts';
import type { ConnectionHost } from '../../../src/doors/connection.ts';
import { Http1Connection } from '../../../src/doors/http1/connection.ts';
import { FakeDeadlines } from '../../support/fake-deadlines.ts';
import { CallStage, type StageOptions } from '../calls/call-stage.ts';
import { responseHead } from '../forwarding/fake-upstream.ts';

const IDLE_MS = 60_000;
const HEAD_MS = 10_000;
const LIMITS = {
  headBytes: 1024,
  targetBytes: 200,
  headTimeoutMs: HEAD_MS,
  tunnelIdleMs: 300_000,
  idleTimeoutMs: IDLE_MS,
  minBodyBytesPerSecond: 1,
  bodyGraceMs: 5_000,
};

interface SceneOptions extends StageOptions {
  readonly refusesPlaintext?: boolean;
  readonly misdirects?: (host: string) => boolean;
}

/** One connection over a pair of streams, whose calls have fakes of their ports. */
class Scene {
  readonly stage: CallStage;
  readonly deadlines = new FakeDeadlines();
  readonly connection: Http1Connection;
  readonly client: Duplex;
  draining = false;
  /** How often the host was told that it has closed. */
  closed = 0;
  reset = false;
  ended = false;
  #text = '';

  constructor(options: SceneOptions = {}) {
    this.stage = new CallStage(options);
    const [near, far] = duplexPair({ highWaterMark: 1024 * 1024 });
    this.client = far;
    far.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1');
    });
    far.on('end', () => {
      this.ended = true;
    });
    far.on('error', () => {});
    const transport = near as unknown as Socket;
    transport.resetAndDestroy = () => {
      this.reset = true;
      near.destroy();
      return transport;
    };
    const scene = this;
    const host: ConnectionHost = {
      services: this.stage.services,
      limits: LIMITS,
      open: (client, head) => new Call(this.stage.services, client, head),
      deadlines: this.deadlines.asDeadlines,
      get draining() {
        return scene.draining;
      },
      closed: () => {
        this.closed += 1;
      },
    };
    const { refusesPlaintext = false, misdirects = null } = options;
    const peer = { address: '192.0.2.1', port: 1, secure: false };
    this.connection = new Http1Connection(
      { socket: transport, transport, peer, refusesPlaintext, misdirects },
      host,
    );
  }

  head(line: string, ...fields: readonly string[]): string {
    const own = ['Host: a', `Authorization: Bearer ${this.stage.token}`];
    return `${[`${line} HTTP/1.1`, ...own, ...fields].join('\r\n')}\r\n\r\n`;
  }

  async send(...pieces: readonly string[]): Promise<void> {
    for (const piece of pieces) {
      this.client.write(piece, 'latin1');
      await settle();
    }
  }

  /** What came since the last look. */
  async said(): Promise<string> {
    await settle();
    const text = this.#text;
    this.#text = '';
    return text;
  }

  /** The status lines and the reasons in what came since the last look. */
  async brief(): Promise<string> {
    const text = await this.said();
    return [...text.matchAll(/HTTP\/1\.1 (\d+)|"reason":"([a-z-]+)"/g)]
      .map(([, status, reason]) => status ?? reason)
      .join(' ');
  }

  /** The upstream of the last call answers, and is done. */
  answer(content = 'done'): void {
    const { connection } = this.stage;
    connection.receiver!.onHead(responseHead(200, content.length));
    connection.receiver!.onBody(Buffer.from(content));
    connection.ends();
  }
}

async function settle(): Promise<void> {
  for (let turns = 0; turns < 4; turns += 1) await nextTurn();
}

const decisions = ({ stage }: Scene) => stage.phases().filter((phase) => phase[0] === 'd').length;

describe('requests on one connection', () => {
  it('are answered one after the other, however they come', async () => {
    const scene = new Scene({ connections: 3 });
    const [first, second, third] = ['/all?1', '/all?2', '/all?3'].map((target) =>
      scene.head(`GET ${target}`),
    );
    await scene.send(first! + second!.slice(0, 20), second!.slice(20) + third!);
    // The second waits for the response to the first.
    for (const number of [1, 2, 3]) {
      expect(scene.stage.upstream.given).toHaveLength(number);
      expect(scene.stage.connection.told[0]).toBe(`begin GET /all?${number}`);
      expect([scene.connection.busy, scene.connection.use]).toEqual([true, 'busy']);
      scene.answer(`${number}`);
      expect(await scene.said()).toMatch(new RegExp(`^HTTP/1.1 200 [^]*\r\n\r\n${number}$`));
    }
    expect([scene.connection.busy, scene.connection.use, scene.closed]).toEqual([false, 'idle', 0]);
  });

  it('have bodies of which nothing is taken for a request, nor read before it is wanted', async () => {
    const scene = new Scene({ connections: 2, guarantee: 'acknowledged' });
    const body = scene.head('GET /all');
    await scene.send(scene.head('POST /all', `Content-Length: ${body.length}`), body);
    expect(scene.stage.upstream.given).toEqual([]);
    scene.stage.outbox.answer('accepted');
    await settle();
    expect(scene.stage.connection.told).toEqual(['begin POST /all', `body ${body}`, 'end']);
    scene.answer();
    await scene.send(scene.head('GET /all'));
    expect(decisions(scene)).toBe(2);
  });

  it('are told to send their bodies once they are permitted, unless they are here', async () => {
    const scene = new Scene();
    const head = scene.head('POST /all', 'Expect: 100-continue', 'Content-Length: 4');
    await scene.send(head);
    expect(await scene.brief()).toBe('100');
    await scene.send('body');
    expect(scene.stage.connection.told).toEqual(['begin POST /all', 'body body', 'end']);
    const eager = new Scene();
    await eager.send(`${head.replace(/Bearer .*/, `Bearer ${eager.stage.token}`)}body`);
    eager.answer();
    expect(await eager.brief()).toBe('200');
  });
});

describe('a connection ends', () => {
  it.each([
    ['after a response to who asks for it', 'GET /all', 'Connection: close', ''],
    ['after a response in the middle of a body', 'POST /all', 'Content-Length: 8', 'half'],
  ])('%s, and lingers', async (_what, line, field, body) => {
    const scene = new Scene();
    await scene.send(scene.head(line, field) + body);
    scene.answer();
    expect(await scene.said()).toMatch(/\r\nConnection: close\r\n/);
    expect([scene.ended, scene.closed]).toEqual([true, 0]);
    // What still comes is neither a body nor a request.
    await scene.send(`half${scene.head('GET /all')}`);
    expect(decisions(scene)).toBe(1);
    scene.client.end();
    await settle();
    scene.deadlines.pass(2_000);
    await settle();
    expect([scene.closed, scene.deadlines.size]).toEqual([1, 0]);
  });

  it('by a reset when a response is broken off', async () => {
    const scene = new Scene();
    await scene.send(scene.head('GET /all'));
    scene.stage.connection.receiver!.onHead(responseHead(200, 8));
    scene.stage.connection.receiver!.onBody(Buffer.from('half'));
    scene.stage.connection.receiver!.flush();
    scene.stage.connection.fails();
    await settle();
    expect([scene.reset, scene.closed]).toEqual([true, 1]);
    expect(scene.stage.phases()).toEqual(['decision permitted', 'outcome upstream-broken']);
  });

  it.each([
    ['ends its direction', (client: Duplex) => void client.end()],
    ['is gone', (client: Duplex) => void client.destroy()],
  ])('when the client %s during a call, which learns it once', async (_how, leave) => {
    const scene = new Scene();
    await scene.send(scene.head('GET /all'));
    leave(scene.client);
    await settle();
    expect(scene.stage.connection.destroyed).toBe(true);
    expect(scene.stage.phases()).toEqual(['decision permitted', 'outcome client-aborted']);
    expect([scene.closed, scene.deadlines.size]).toEqual([1, 0]);
  });
});

describe('what cannot be read as a request', () => {
  it.each([
    ['nonsense\r\n\r\n', '400 request-malformed'],
    [`GET /${'a'.repeat(300)} HTTP/1.1\r\nHost: a\r\n\r\n`, '414 target-too-long'],
    [`GET / HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(1100)}\r\n`, '431 headers-too-large'],
  ])('is refused once, on record, and the connection ends: %s', async (bytes, words) => {
    const scene = new Scene();
    await scene.send(bytes, scene.head('GET /all'));
    expect(await scene.brief()).toBe(words);
    expect([decisions(scene), scene.ended]).toEqual([1, true]);
  });

  it('is a body whose framing is broken: its upstream never takes it for whole', async () => {
    const scene = new Scene();
    await scene.send(scene.head('POST /all', 'Transfer-Encoding: chunked'), '4\r\nbodyX');
    expect(await scene.brief()).toBe('400 request-malformed');
    expect([scene.stage.connection.destroyed, scene.stage.connection.ended]).toEqual([true, false]);
  });
});

describe('a request that is refused at the door', () => {
  it('came in the clear: the token is noted, and never said', async () => {
    const scene = new Scene({ refusesPlaintext: true });
    await scene.send(scene.head('GET /all'));
    expect(await scene.brief()).toBe('403 plaintext-refused');
    expect(scene.stage.outbox.events[0]).toMatchObject({ claimedAccountId: 'AAAAAAAAAAAA' });
    expect(scene.stage.logged).toEqual(['a token was sent over plain HTTP: rotate it']);
    expect(JSON.stringify(scene.stage.outbox.events)).not.toContain(scene.stage.token);
  });

  it('is for a host that this connection is not for; the next one may be for it', async () => {
    const scene = new Scene({ misdirects: (host) => host !== 'a' });
    await scene.send(scene.head('GET /all').replace('Host: a', 'Host: b:1'));
    expect(await scene.brief()).toBe('421 host-misdirected');
    await scene.send(scene.head('GET /all'));
    scene.answer();
    expect(await scene.brief()).toBe('200');
  });
});

describe('the time of a client', () => {
  it.each([
    ['says nothing', '', HEAD_MS, ''],
    ['stops in its head', 'GET / HT', HEAD_MS, '408 request-timeout'],
  ])('who %s is over', async (_what, bytes, ms, words) => {
    const scene = new Scene();
    await scene.send(bytes);
    scene.deadlines.pass(ms - 1);
    expect([await scene.brief(), scene.closed]).toEqual(['', 0]);
    scene.deadlines.pass(1);
    expect(await scene.brief()).toBe(words);
    expect(scene.ended || scene.closed === 1).toBe(true);
  });

  it('who sends a body too slowly is over, and stands still while somebody else is waited for', async () => {
    const scene = new Scene({ guarantee: 'acknowledged' });
    await scene.send(scene.head('POST /all', 'Content-Length: 10'));
    scene.deadlines.pass(IDLE_MS); // for the record
    scene.stage.outbox.answer('accepted');
    await scene.send('body');
    expect(await scene.brief()).toBe('');
    scene.deadlines.pass(LIMITS.bodyGraceMs);
    expect(await scene.brief()).toBe('408 request-timeout');
    expect(scene.stage.connection.destroyed).toBe(true);
  });

  it('who waits for its response is as long as that takes', async () => {
    const scene = new Scene();
    await scene.send(scene.head('GET /all'));
    scene.deadlines.pass(10 * IDLE_MS);
    scene.answer();
    expect(await scene.brief()).toBe('200');
    scene.deadlines.pass(IDLE_MS);
    await settle();
    expect(scene.closed).toBe(1);
  });
});

describe('a gate that closes', () => {
  it('closes an idle connection at once', async () => {
    const scene = new Scene();
    scene.draining = true;
    scene.connection.drain();
    await settle();
    expect(scene.ended).toBe(true);
  });

  it.each([
    ['has not begun, and says so', false],
    ['has begun', true],
  ])('closes a busy one after its response, which %s', async (_what, hasBegun) => {
    const scene = new Scene({ connections: 2 });
    await scene.send(scene.head('GET /all'));
    const { connection } = scene.stage;
    if (hasBegun) {
      connection.receiver!.onHead(responseHead());
      connection.receiver!.flush();
    }
    scene.draining = true;
    scene.connection.drain();
    await settle();
    expect(scene.ended).toBe(false);
    if (!hasBegun) connection.receiver!.onHead(responseHead());
    connection.receiver!.onBody(Buffer.from('done'));
    connection.ends();
    const text = await scene.said();
    expect(text.includes('\r\nConnection: close\r\n')).toBe(!hasBegun);
    expect([text.endsWith('done'), scene.ended]).toEqual([true, true]);
    expect(scene.stage.phases()[1]).toBe('outcome permitted');
  });

  it('serves a request whose head has begun, and closes after its response', async () => {
    const scene = new Scene();
    const head = scene.head('GET /all');
    await scene.send(head.slice(0, -10));
    scene.draining = true;
    scene.connection.drain();
    await settle();
    expect(scene.ended).toBe(false);
    await scene.send(head.slice(-10));
    const { connection } = scene.stage;
    connection.receiver!.onHead(responseHead());
    connection.receiver!.onBody(Buffer.from('done'));
    connection.ends();
    const text = await scene.said();
    expect(text).toContain('\r\nConnection: close\r\n');
    expect([text.endsWith('done'), scene.ended]).toEqual([true, true]);
  });

  it('cuts off what has not ended by then: with a refusal where nothing was said yet', async () => {
    const waiting = new Scene();
    await waiting.send(waiting.head('GET /all'));
    waiting.connection.cutOff();
    expect(await waiting.brief()).toBe('503 draining');
    const idle = new Scene();
    idle.connection.cutOff();
    expect(idle.closed).toBe(1);
    const destroyed = new Scene();
    await destroyed.send(destroyed.head('GET /all'));
    destroyed.connection.destroy();
    expect(destroyed.closed).toBe(1);
    expect(destroyed.stage.phases()).toEqual(['decision permitted', 'outcome draining']);
  });
});
