import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import {
  createServer,
  type IncomingHttpHeaders,
  type RequestListener,
  type Server,
} from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { createServer as createHttpsServer, request } from 'node:https';
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { parseConfig } from '../../src/config/load.ts';
import { owner, type RouteText, startGateway, type TestGateway } from '../support/gateway.ts';
import { connectRaw, type RawClient } from '../support/raw-client.ts';
import { newAuthority, writeCertificate } from '../unit/tls/samples.ts';

export type Tree = { readonly [key: string]: unknown };

type Listener = 'proxy' | 'admin' | 'decision';

interface CallOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Null: none. */
  readonly token?: string | null;
}

interface Seen {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What a new connection of HTTP/2 is allowed; windows in bytes. */
export interface Http2Allowance {
  readonly streams: number | undefined;
  readonly streamWindow: number | undefined;
  readonly connectionWindow: number | undefined;
}

/** A gate whose configuration is changed by reloads, and ways to look at it from outside. */
export interface Stage {
  readonly token: string;
  readonly otherToken: string;
  /** `{ 'a.b': value }` over the first configuration. Null takes a key out. */
  reload(changes: Tree): void;
  call(path: string, options?: CallOptions): Promise<Seen>;
  callAdmin(): Promise<Seen>;
  /** What an upstream saw: its headers, and `upstream`, `url`, `certificate`, `port`. */
  echo(options?: CallOptions, path?: string): Promise<Record<string, unknown>>;
  /** Which of the two certificates is shown. */
  serial(listener: Listener): Promise<number>;
  /** Whether a client without certificate, at 127.0.0.1, is answered. */
  letsIn(listener: Listener): Promise<boolean>;
  /** What comes back until the gate closes the connection. */
  raw(text: string): Promise<string>;
  /** Null: HTTP/2 is not spoken. */
  http2(): Promise<Http2Allowance | null>;
  /** Whether a handshake that goes no further than its first bytes is broken off. */
  silentHandshakeEnds(): Promise<boolean>;
  /** The status of a call while another one to the same upstream is not answered. */
  besideHanging(path: string): Promise<number>;
  /** The status of a request for another protocol, beside so many tunnels of the same account. */
  upgrades(beside?: number): Promise<string | undefined>;
  /** Whether a tunnel through which nothing passes is ended. */
  silentTunnelEnds(): Promise<boolean>;
  /** Whether there is no place for another connection beside an idle one. */
  crowds(path: string): Promise<boolean>;
  metrics(): Promise<string>;
  /** 1 or 0, as the metric says of the upstream's first address. */
  healthy(upstream: string): Promise<number>;
  /** How many requests with that path upstreams have seen since the last reload. */
  seen(path: string): number;
  eventually(holds: () => Promise<boolean>, limitMs?: number): Promise<boolean>;
  close(): Promise<void>;
}

const LIMIT_MS = 30_000;
/** A record of TLS that begins a ClientHello and says that more follows. */
const HELLO_BEGUN = Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]);

/** What goes with a gate when it is closed. */
let closers: (() => unknown)[] = [];

export async function closeStage(stage: Stage): Promise<void> {
  await stage.close();
  for (const close of closers.reverse()) await close();
  closers = [];
}

export async function openStage(): Promise<Stage> {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-reload-'));
  closers.push(() => rmSync(dir, { recursive: true, force: true }));
  const authority = await newAuthority([{ dns: 'localhost' }]);
  const hosts = [{ dns: 'localhost' }];
  const ca = join(dir, 'ca.pem');
  writeFileSync(ca, authority.pem);
  const first = await writeCertificate(dir, 'first', authority, { hosts });
  const second = await writeCertificate(dir, 'second', authority, { hosts });
  const seen: string[] = [];
  const plain = await listen(
    createServer(answering('plain', seen)).on('upgrade', (_, socket: Socket) => {
      socket.on('error', () => {});
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x-echo\r\n\r\n',
      );
    }),
  );
  const other = await listen(createServer(answering('other', seen)));
  const asking = {
    cert: readFileSync(first.certificateFile),
    key: readFileSync(first.keyFile),
    requestCert: true,
    rejectUnauthorized: false,
  };
  const secure = await listen(createHttpsServer(asking, answering('secure', seen)));
  const silent = await listen(createTcpServer((socket) => socket.on('error', () => {})));
  const account = { methods: ['GET', 'POST'], application: 'any', permission: 'test:read' };
  const routes: RouteText[] = [
    { name: 'echo', path: '/echo/**', upstream: 'up', ...account },
    { name: 'secure', path: '/secure', upstream: 'secure', ...account },
    { name: 'silent', path: '/silent', upstream: 'silent', ...account },
  ];
  const upstreams = {
    up: { addresses: [`http://127.0.0.1:${plain}`] },
    secure: { addresses: [`https://localhost:${secure}`], tls: { caFile: ca } },
    silent: { addresses: [`https://127.0.0.1:${silent}`] },
  };
  const tls = { certificates: [first] };
  const listeners = {
    proxy: { address: '127.0.0.1:0', tls },
    admin: { address: '127.0.0.1:0', tls },
    decision: { address: '127.0.0.1:0', peers: ['127.0.0.1'], tls },
    ops: { address: '127.0.0.1:0' },
  };
  const gate = await startGateway({ upstreams, routes, config: { listen: listeners } });
  const { administration } = gate;
  const otherToken = (await gate.createAccount({ name: 'other', role: 'tester' })).token;
  await administration.grantRole(owner, {
    name: gate.account.name,
    application: 'CRM',
    role: 'none',
  });
  return new LiveStage(gate, {
    base: { listen: listeners, upstreams, routes },
    /** Values that only the stage knows. */
    named: {
      ca,
      crt: second.certificateFile,
      key: second.keyFile,
      other: `http://127.0.0.1:${other}`,
      'second pair': [second],
    },
    seen,
    ca: authority.pem,
    otherToken,
    serials: [first, second].map(({ certificateFile }) =>
      new X509Certificate(readFileSync(certificateFile)).serialNumber.toLowerCase(),
    ),
  });
}

async function listen(server: Server | TcpServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Says what it saw; a path that ends in a word of these does as it says. */
function answering(upstream: string, seen: string[]): RequestListener {
  let checks = 0;
  return (request, response) => {
    const { url = '' } = request;
    seen.push(url);
    const how = url.slice(url.lastIndexOf('/') + 1);
    if (how === 'hang') return;
    if (how === 'reset') return void request.socket.destroy();
    if (how === 'pauses') {
      response.flushHeaders();
      setTimeout(() => response.end('late'), 1500);
      return;
    }
    if (how === '503-then-200') checks += 1;
    const fails = how === '503' || (how === '503-then-200' && checks < 5);
    const socket = request.socket as Partial<TLSSocket>;
    const port = request.socket.remotePort;
    const certificate = (socket.getPeerCertificate?.().subject ?? null) !== null;
    const body = JSON.stringify({ ...request.headers, upstream, url, certificate, port });
    const fields = how === 'moved' ? { location: 'http://inside.test/there' } : {};
    request.resume().once('end', () => response.writeHead(fails ? 503 : 200, fields).end(body));
  };
}

interface StageParts {
  readonly base: Tree;
  readonly named: Readonly<Record<string, unknown>>;
  readonly seen: string[];
  readonly ca: string;
  readonly otherToken: string;
  readonly serials: readonly string[];
}

class LiveStage implements Stage {
  readonly #gate: TestGateway;
  readonly #parts: StageParts;
  #closed = false;

  constructor(gate: TestGateway, parts: StageParts) {
    this.#gate = gate;
    this.#parts = parts;
  }

  get token(): string {
    return this.#gate.token;
  }

  get otherToken(): string {
    return this.#parts.otherToken;
  }

  reload(changes: Tree): void {
    const { base, named, seen } = this.#parts;
    const tree = Object.entries(changes).reduce(withChange, {
      ...base,
      store: { kind: 'embedded' },
      instance: { dataDir: this.#gate.dataDir, lameDuckMs: 0, drainMs: 1000 },
    } as Tree);
    const text = JSON.stringify(tree, (_key, value: unknown) =>
      typeof value === 'string' && Object.hasOwn(named, value) ? named[value] : value,
    );
    const { config } = parseConfig(text, join(this.#gate.dataDir, 'test.yaml'));
    seen.length = 0;
    this.#gate.gateway.reload(config);
  }

  call(path: string, options: CallOptions = {}): Promise<Seen> {
    return this.#call(this.#gate.port, path, options);
  }

  callAdmin(): Promise<Seen> {
    return this.#call(this.#port('admin'), '/api/v1/service-accounts', { token: null });
  }

  #port(listener: Listener): number {
    return this.#gate.gateway.addresses[listener]!.port;
  }

  #call(port: number, path: string, options: CallOptions): Promise<Seen> {
    const { method = 'GET', headers = {}, body = '', token = this.token } = options;
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          host: '127.0.0.1',
          servername: 'localhost',
          port,
          path,
          method,
          agent: false,
          ca: this.#parts.ca,
          headers: {
            host: 'localhost',
            ...(token === null ? {} : { authorization: `Bearer ${token}` }),
            ...(body === '' ? {} : { 'content-length': String(body.length) }),
            ...headers,
          },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
          response
            .once('error', reject)
            .once('end', () =>
              resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
            );
        },
      );
      asked.once('error', reject).end(body);
    });
  }

  async echo(options: CallOptions = {}, path = '/echo'): Promise<Record<string, unknown>> {
    return JSON.parse((await this.call(path, options)).body) as Record<string, unknown>;
  }

  async #secured(listener: Listener): Promise<TLSSocket> {
    const socket = connectTls({
      host: '127.0.0.1',
      servername: 'localhost',
      port: this.#port(listener),
      ca: this.#parts.ca,
    });
    await once(socket, 'secureConnect');
    return socket;
  }

  async serial(listener: Listener): Promise<number> {
    const socket = await this.#secured(listener);
    const serial = socket.getPeerCertificate().serialNumber.toLowerCase();
    socket.destroy();
    return this.#parts.serials.indexOf(serial) + 1;
  }

  /** With TLS 1.3 a client learns only after its handshake that its certificate was missed. */
  async letsIn(listener: Listener): Promise<boolean> {
    return this.#call(this.#port(listener), '/nowhere', {}).then(
      () => true,
      () => false,
    );
  }

  async raw(text: string): Promise<string> {
    const tls = { ca: this.#parts.ca, servername: 'localhost' };
    const client = await connectRaw({ port: this.#gate.port, tls });
    await client.send(text);
    const bytes = await client.waitForClose(LIMIT_MS);
    client.close();
    return bytes.toString('latin1');
  }

  async http2(): Promise<Http2Allowance | null> {
    const tls = { ca: this.#parts.ca, servername: 'localhost' };
    const session = connectHttp2(`https://127.0.0.1:${this.#gate.port}`, tls);
    try {
      await once(session, 'remoteSettings');
      // Its answer comes after what the gate begins with.
      await new Promise((resolve) => session.ping(resolve));
      const { maxConcurrentStreams: streams, initialWindowSize } = session.remoteSettings;
      const { remoteWindowSize } = session.state;
      return { streams, streamWindow: initialWindowSize, connectionWindow: remoteWindowSize };
    } catch {
      return null;
    } finally {
      session.on('error', () => {}).destroy();
    }
  }

  async silentHandshakeEnds(): Promise<boolean> {
    const socket = connect(this.#gate.port, '127.0.0.1');
    socket.on('error', () => {}).resume();
    await once(socket, 'connect');
    socket.write(HELLO_BEGUN);
    await once(socket, 'close');
    return true;
  }

  async besideHanging(path: string): Promise<number> {
    const token = this.token;
    const headers = `Host: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`;
    const tls = { ca: this.#parts.ca, servername: 'localhost' };
    const client = await connectRaw({ port: this.#gate.port, tls });
    await client.send(`GET /echo/hang HTTP/1.1\r\n${headers}`);
    await this.eventually(async () => this.seen('/echo/hang') > 0);
    const { status } = await this.call(path);
    client.reset();
    return status;
  }

  async #upgrade(): Promise<RawClient> {
    const tls = { ca: this.#parts.ca, servername: 'localhost' };
    const client = await connectRaw({ port: this.#gate.port, tls });
    await client.send(
      `GET /echo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${this.token}\r\nConnection: upgrade\r\nUpgrade: x-echo\r\n\r\n`,
    );
    await client.waitFor('an answer', (bytes) => bytes.includes('\r\n\r\n'));
    return client;
  }

  async upgrades(beside = 0): Promise<string | undefined> {
    const clients: RawClient[] = [];
    for (let number = 0; number <= beside; number += 1) clients.push(await this.#upgrade());
    for (const client of clients) client.close();
    return clients.at(-1)?.bytes.toString('latin1').split(' ')[1];
  }

  async silentTunnelEnds(): Promise<boolean> {
    const client = await this.#upgrade();
    return client.waitForClose(LIMIT_MS).then(
      () => true,
      () => false,
    );
  }

  async crowds(path: string): Promise<boolean> {
    const tls = { ca: this.#parts.ca, servername: 'localhost' };
    const client = await connectRaw({ port: this.#gate.port, tls }).catch(() => null);
    // Earlier calls may hold the place for a moment.
    if (client === null) return true;
    await client.send('GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await client.waitFor('an answer', (bytes) => bytes.includes('\r\n\r\n'));
    const refused = await this.call(path).then(
      () => false,
      () => true,
    );
    const closed = await this.eventually(async () => client.closed !== 'open', 1500);
    client.close();
    return refused || closed;
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.#gate.opsUrl}/metrics`)).text();
  }

  async healthy(upstream: string): Promise<number> {
    const line = new RegExp(
      `^sallyport_upstream_healthy\\{upstream="${upstream}".*\\} (\\d)$`,
      'm',
    );
    return Number(line.exec(await this.metrics())?.[1]);
  }

  seen(path: string): number {
    return this.#parts.seen.filter((url) => url === path).length;
  }

  async eventually(holds: () => Promise<boolean>, limitMs = LIMIT_MS): Promise<boolean> {
    for (const endMs = performance.now() + limitMs; performance.now() < endMs; await sleep(20))
      if (await holds()) return true;
    return false;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#gate.stop();
  }
}

/** Groups are merged, so that a probe names only what it changes; null takes a key out. */
function withChange(tree: Tree, [path, value]: [string, unknown]): Tree {
  const [first = '', ...rest] = path.split('.');
  if (Array.isArray(tree)) {
    const index = Number(first);
    return tree.map((item: Tree, at) =>
      at === index ? changedItem(item, rest, value) : item,
    ) as never;
  }
  return { ...tree, [first]: changedItem((tree[first] ?? {}) as Tree, rest, value) };
}

function changedItem(item: Tree, rest: readonly string[], value: unknown): unknown {
  if (rest.length > 0) return withChange(item, [rest.join('.'), value]);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const merged = { ...item, ...(value as Tree) };
  return Object.fromEntries(Object.entries(merged).filter(([, each]) => each !== null));
}
