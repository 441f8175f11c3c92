import type { Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { Deadlines } from '../../../src/deadlines.ts';
import { Fields } from '../../../src/http/fields.ts';
import type { OutgoingRequest } from '../../../src/http/outgoing.ts';
import { FieldSection, HpackDecoder } from '../../../src/http2/hpack-decoder.ts';
import { DescriptorBudget } from '../../../src/upstream/descriptors.ts';
import type { Dialer } from '../../../src/upstream/dialer.ts';
import { Http2PlacePool } from '../../../src/upstream/http2/place-pool.ts';
import { PlaceStates } from '../../../src/upstream/place-states.ts';
import type {
  ResponseReceiver,
  UpstreamChannel,
  UpstreamFailure,
} from '../../../src/upstream/port.ts';
import {
  ACK,
  END_HEADERS,
  END_STREAM,
  type Frame,
  frame,
  framesIn,
  numbers,
  type RawField,
  section,
  settings,
  TYPE,
} from '../../support/http2-frames.ts';

const PREFACE_BYTES = 24;
const REFUSED = 7;

/** The upstream's end of one connection, frames byte for byte. */
export class Peer {
  readonly #far: Duplex;
  readonly #chunks: Buffer[] = [];
  ended = false;

  constructor(far: Duplex) {
    this.#far = far;
    far.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    far.on('error', () => {});
    for (const event of ['end', 'close'])
      far.on(event, () => {
        this.ended = true;
      });
  }

  get frames(): Frame[] {
    return framesIn(Buffer.concat(this.#chunks).subarray(PREFACE_BYTES));
  }

  get preface(): string {
    return Buffer.concat(this.#chunks).subarray(0, PREFACE_BYTES).toString('latin1');
  }

  of(type: number): Frame[] {
    const acks = type === TYPE.settings || type === TYPE.ping;
    return this.frames.filter((one) => one.type === type && !(acks && (one.flags & ACK) !== 0));
  }

  /** `STREAM METHOD /path` of each request. */
  get requests(): string[] {
    const decoder = new HpackDecoder();
    return this.frames
      .filter(({ type }) => type === TYPE.headers)
      .map(({ stream, payload }) => {
        const fields = new FieldSection(65_536, 100);
        decoder.decode(payload, fields);
        const value = (name: string) => fields.values[fields.names.indexOf(name)];
        return `${stream} ${value(':method')} ${value(':path')}`;
      });
  }

  /** The fields of the last request. */
  get fields(): RawField[] {
    const fields = new FieldSection(65_536, 100);
    const { payload } = this.frames.findLast(({ type }) => type === TYPE.headers)!;
    new HpackDecoder().decode(payload, fields);
    return fields.names.map((name, index) => [name, fields.values[index]!]);
  }

  /** The content of all DATA of a stream. */
  content(stream: number): string {
    return this.frames
      .filter((one) => one.type === TYPE.data && one.stream === stream)
      .map(({ payload }) => payload.toString())
      .join('');
  }

  async send(...frames: readonly Buffer[]): Promise<void> {
    this.#far.write(Buffer.concat(frames));
    await turns();
  }

  /** Refuses what it was asked last. */
  async refuse(): Promise<void> {
    const { stream } = this.of(TYPE.headers).at(-1)!;
    await this.send(frame(TYPE.reset, 0, stream, numbers(REFUSED)));
  }

  async close(): Promise<void> {
    this.#far.end();
    await turns();
  }
}

export async function turns(): Promise<void> {
  for (let turn = 0; turn < 8; turn += 1) await nextTurn();
}

export const response = (stream: number, fields: readonly RawField[], flags = 0): Buffer =>
  frame(TYPE.headers, flags | END_HEADERS, stream, section(fields));
export const data = (stream: number, text: string, flags = 0): Buffer =>
  frame(TYPE.data, flags, stream, Buffer.from(text));
export const ok = (stream: number, text: string): Buffer =>
  Buffer.concat([response(stream, [[':status', '200']]), data(stream, text, END_STREAM)]);

/** One exchange, and what its receiver heard. */
export class Exchange implements ResponseReceiver {
  readonly heard: string[] = [];
  failure: UpstreamFailure | null = null;
  readonly faults: unknown[] = [];
  readonly channel: UpstreamChannel;
  readonly #body: string | null;
  /** What `flush` says. */
  takes = true;
  drains = 0;

  constructor(channel: UpstreamChannel, method: string, path: string, body: string | null) {
    this.channel = channel;
    this.#body = body;
    channel.begin(this, requestOf(method, path, body));
    if (body === null) channel.sendEnd();
    else if (channel.connected) this.onConnected();
  }

  onConnected(): void {
    if (this.#body === null) return;
    this.channel.sendBody(Buffer.from(this.#body));
    this.channel.sendEnd();
  }
  onInterim({ status }: { readonly status: number }): void {
    this.heard.push(`interim ${status}`);
  }
  onHead({ status }: { readonly status: number }): void {
    this.heard.push(`head ${status}`);
  }
  onBody(content: Buffer): void {
    this.heard.push(`body ${content.toString()}`);
  }
  onEnd(): void {
    this.heard.push('end');
  }
  onFailure(failure: UpstreamFailure): void {
    this.failure = failure;
    this.heard.push(failure.kind);
  }
  onFault(error: unknown): void {
    this.faults.push(error);
  }
  flush(): boolean {
    return this.takes;
  }
  onDrain(): void {
    this.drains += 1;
  }
}

function requestOf(method: string, target: string, body: string | null): OutgoingRequest {
  return {
    method,
    target,
    host: 'api.test',
    fields: new Fields().add('Authorization', 'secret').add('X-Account-Id', 'a1'),
    framing:
      body === null
        ? { kind: 'none', declared: false }
        : { kind: 'length', bytes: Buffer.byteLength(body) },
    isLast: false,
    upgrade: null,
    takesTrailers: true,
  };
}

/** A place whose connections end in this process. */
export class Upstream {
  readonly peers: Peer[] = [];
  readonly changes: string[] = [];
  readonly pool: Http2PlacePool;
  readonly budget: DescriptorBudget;
  readonly #deadlines = new Deadlines();
  readonly #places: PlaceStates;

  /** @param greeting SETTINGS of each connection; null: it says nothing */
  constructor(
    greeting: Buffer | null = settings(),
    options: { readonly maxConnections?: number; readonly maxConnectionAgeMs?: number } = {},
  ) {
    this.budget = new DescriptorBudget(
      () => 100,
      () => {},
    );
    const dialer: Pick<Dialer, 'connect' | 'connectEvent'> = {
      connectEvent: 'connect',
      connect: () => this.#connect(greeting),
    };
    this.#places = new PlaceStates(this.#deadlines);
    this.pool = new Http2PlacePool(
      dialer as Dialer,
      {
        timeouts: { connectTimeoutMs: 2000, responseTimeoutMs: 5000, streamIdleTimeoutMs: 300_000 },
        maxConnections: 1000,
        maxConnectionAgeMs: 3_600_000,
        budget: this.budget,
        state: this.#places.enter('here', {
          ejection: { afterFailures: 5, baseMs: 60_000, maxMs: 60_000, countServerErrors: false },
          checks: null,
          observer: (change, why) => void this.changes.push(`${change}: ${why}`),
        }),
        ...options,
      },
      this.#deadlines,
    );
    onTestFinished(() => {
      this.pool.closeAll();
      this.#deadlines.close();
    });
  }

  #connect(greeting: Buffer | null): Socket {
    const [near, far] = duplexPair({ highWaterMark: 64 * 1024 });
    const peer = new Peer(far);
    this.peers.push(peer);
    queueMicrotask(() => {
      near.emit('connect');
      if (greeting !== null) far.write(greeting);
    });
    return near as unknown as Socket;
  }

  /** Exchanges that are under way, those that were never begun included. */
  get pending(): number {
    return this.pool.pending;
  }

  async call(method = 'GET', path = '/', body: string | null = null): Promise<Exchange> {
    const exchange = new Exchange(this.pool.take()!, method, path, body);
    await turns();
    return exchange;
  }
}
