import { createServer } from 'node:net';
import { expect, vi } from 'vitest';
import { type AuditEvent, owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { type MessageHead, valuesOf } from '../support/http-bytes.ts';
import { startHttp2Bridge } from '../support/http2-bridge.ts';
import { type RawUpstream, type Step, startRawUpstream } from '../support/raw-upstream.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { type CallCase, type Caller, NOBODYS, ROUTES, requestOf, type Under } from './calls.ts';
import { answerTo, BODY_BYTES } from './door-cases.ts';
import type { DoorClient, DoorResponse, DoorUnderTest } from './door-under-test.ts';

/** What came of one call, but for what differs each time and what one protocol alone has. */
export interface Seen {
  readonly response: { readonly status: number } | null;
  readonly upstream: unknown;
  /** In the record. */
  readonly door: unknown;
  readonly decision: Readonly<Record<string, unknown>> | null;
  readonly outcome: Readonly<Record<string, unknown>> | null;
}

/** What one call was, as far as its client and its upstream know. */
export interface Played {
  readonly tag: string;
  readonly requestId: string | null;
  readonly own: { readonly id: string; readonly name: string } | null;
  readonly response: { readonly status: number } | null;
  readonly upstream: unknown;
  readonly varies: boolean;
}

/** Two gates over one Redis, in the clear and with TLS, in front of the same upstreams. */
export interface Stage {
  readonly plain: TestGateway;
  readonly secure: TestGateway;
  readonly redis: RedisServer;
  /** The token of a caller; `own`: of an account that nobody else uses. */
  token(caller: Caller): Promise<{ token: string | null; own: Played['own'] }>;
  /** @param meanwhile once the call is under way: what befalls all of them */
  play(door: DoorUnderTest, call: CallCase, meanwhile?: () => Promise<void>): Promise<Played>;
  /** With what is on record of it, once the decision and the `outcomes` are. */
  recorded(played: Played, outcomes: number): Promise<Seen>;
  /** Resolves when both gates let callers in. */
  ready(): Promise<void>;
  /** Closes both gates: what is under way has its time, and is cut off then. */
  close(): Promise<void>;
  stop(): Promise<void>;
}

const WAIT = { timeout: 30_000, interval: 20 };
/** A client without a body byte for so long has its request refused. */
const LIMITS = { bodyBytes: BODY_BYTES, bodyGraceMs: 1500 };

export interface StageOptions {
  /** What upstreams are spoken to by. */
  readonly upstreams: 'http1' | 'http2';
}

export async function startStage({ upstreams: spoken }: StageOptions): Promise<Stage> {
  const redis = await startRedis();
  const scripts = new Map<string, (request: MessageHead) => readonly Step[]>();
  const answer = (request: MessageHead) =>
    scripts.get(valuesOf(request, 'user-agent')[0]!)?.(request) ?? answerTo(request);
  const [raw, early] = await Promise.all([
    startRawUpstream({ answer }),
    startRawUpstream({ answer, answerAt: 'head' }),
  ]);
  const bridges =
    spoken === 'http2'
      ? await Promise.all([raw, early].map(({ port }) => startHttp2Bridge(port)))
      : [];
  const [rawAt = raw, earlyAt = early] = bridges;
  const protocol = spoken === 'http2' ? { protocol: 'h2c' } : {};
  const options = {
    upstreams: {
      raw: { addresses: [rawAt.url], ...protocol },
      early: { addresses: [earlyAt.url], ...protocol },
      dead: { addresses: [`http://127.0.0.1:${await closedPort()}`], ...protocol },
      slow: { addresses: [rawAt.url], responseTimeoutMs: 1000, ...protocol },
      tunnels: { addresses: [raw.url] },
    },
    routes: ROUTES,
    store: { url: redis.url },
    limits: LIMITS,
    leaseMs: 5000,
    // One after another on record, however many there are.
    config: { audit: { foldRefusalsAfter: 10_000 } },
    http2: { enabled: true },
  } as const;
  const plain = await startGateway({ ...options, plaintext: true, decision: {} });
  const secure = await startGateway(options);
  const gates = [plain, secure];
  const ready = async () => {
    for (const { gateway } of gates) await vi.waitUntil(() => gateway.ready, WAIT);
  };
  await ready();
  const tokens = await makeCallers(plain);
  const upstreams = [raw, early];
  let owners = 0;
  const stage: Stage = {
    plain,
    secure,
    redis,
    token: async (caller) => {
      if (caller !== 'own') return { token: tokens[caller], own: null };
      owners += 1;
      const name = `own-${owners}-`;
      const { id, token } = await plain.createAccount({ name, role: 'tester' });
      return { token, own: { id, name } };
    },
    play: (door, call, meanwhile) => play(stage, { door, call, upstreams, scripts, meanwhile }),
    ready,
    recorded: (played, outcomes) => recorded(plain, played, outcomes),
    close: async () => void (await Promise.all(gates.map(({ gateway }) => gateway.close()))),
    stop: async () => {
      for (const gate of gates) await gate.stop();
      for (const bridge of bridges) bridge.stop();
      for (const upstream of upstreams) await upstream.stop();
      await redis.stop();
    },
  };
  return stage;
}

/** Where nobody listens: for as long as nobody else is given it. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function makeCallers(
  gate: TestGateway,
): Promise<Record<Exclude<Caller, 'own'>, string | null>> {
  const { administration: admin } = gate;
  const team = (name: string, applications: string[]) =>
    admin.createTeam(owner, { name, description: '', applications });
  await team('sales', ['crm']);
  await team('web', ['shop', 'blog']);
  const inTeams = async (name: string, teams: readonly string[]) => {
    const memberships = teams.map((each) => ({ team: each, role: 'tester' }));
    const fields = { name, description: '', role: 'none', teams: memberships };
    return (await admin.createServiceAccount(owner, fields)).token;
  };
  const inactive = await gate.createAccount({ name: 'inactive', role: 'tester' });
  await admin.deactivateAccount(owner, { id: inactive.id });
  const rotated = await gate.createAccount({ name: 'rotated', role: 'tester' });
  await admin.rotateToken(owner, { id: rotated.id });
  const expiresAt = new Date(Date.now() + 1000).toISOString();
  const expired = { name: 'expired', description: '', role: 'tester', expiresAt };
  const { token } = await admin.createServiceAccount(owner, expired);
  const restricted = async (name: string, restriction: object) => {
    const fields = { name, description: '', role: 'tester', ...restriction };
    return (await admin.createServiceAccount(owner, fields)).token;
  };
  const callers = {
    bound: await restricted('bound', { boundTo: { thumbprint: 'A'.repeat(43) } }),
    elsewhere: await restricted('elsewhere', { allowedNetworks: ['203.0.113.0/24'] }),
    tester: gate.token,
    teamed: await inTeams('teamed', ['sales']),
    'two-teams': await inTeams('two-teams', ['sales', 'web']),
    inactive: inactive.token,
    rotated: rotated.token,
    expired: token,
    nobody: NOBODYS,
    nonsense: 'nonsense',
    none: null,
  };
  await vi.waitUntil(() => Date.now() > Date.parse(expiresAt), WAIT);
  return callers;
}

interface Playing {
  readonly door: DoorUnderTest;
  readonly call: CallCase;
  readonly upstreams: readonly RawUpstream[];
  readonly scripts: Map<string, (request: MessageHead) => readonly Step[]>;
  readonly meanwhile: (() => Promise<void>) | undefined;
}

let tags = 0;

async function play(stage: Stage, playing: Playing): Promise<Played> {
  const { door, call, upstreams, scripts, meanwhile } = playing;
  const gate = door.tls ? stage.secure : stage.plain;
  tags += 1;
  const tag = `call-${tags}-`;
  const { token, own } = await stage.token(call.as ?? 'tester');
  const goOn = Promise.withResolvers<void>();
  const { upstream } = call;
  if (upstream !== undefined) scripts.set(tag, () => upstream(goOn.promise));
  const client = await door.connect(gate);
  if (call.decided === 'rate-limited') await useUp(client, call, token);
  const exchange = await client.begin(requestOf(call, token, tag));
  const under: Under = {
    exchange,
    reached: async (bytes) => {
      await vi.waitUntil(() => upstreams.some((each) => hasOf(each, tag, bytes)), WAIT);
    },
    goOn: goOn.resolve,
    leave: () => door.departures.at(-1)![1](client, exchange),
    revoke: async () => void (await stage.plain.administration.rotateToken(owner, { id: own!.id })),
  };
  if (meanwhile !== undefined) {
    if (call.upstream!(goOn.promise).length === 0) await under.reached('\r\n\r\n');
    else await exchange.content('some of it', (content) => content.length > 0);
    await meanwhile();
  }
  const response = await (call.play ?? (() => sendAll(under, call)))(under);
  if (meanwhile === undefined) client.close();
  return {
    tag,
    own,
    requestId: response?.fields.find(([name]) => name === 'x-request-id')?.[1] ?? null,
    response: response === null ? null : withoutOwn(shownResponse(response, call), own),
    upstream: withoutOwn(shownUpstream(upstreams, tag), own),
    varies: call.varies === true,
  };
}

async function useUp(client: DoorClient, call: CallCase, token: string | null): Promise<void> {
  await (await client.begin(requestOf(call, token, 'before'))).response();
}

async function sendAll({ exchange }: Under, { body }: CallCase) {
  for (const piece of body ?? []) await exchange.send(piece).catch(() => {});
  if (body !== undefined) await exchange.endBody().catch(() => {});
  return exchange.response();
}

/** A connection of it has the bytes behind the field that tells whose request it is. */
function hasOf({ connections }: RawUpstream, tag: string, wanted: string): boolean {
  return connections.some(({ bytes }) => {
    const at = bytes.indexOf(tag);
    // Of a body that comes in chunks, the content.
    const rest = bytes
      .subarray(at)
      .toString('latin1')
      .replaceAll(/\r\n[0-9a-f]+\r\n/g, '');
    return (
      at !== -1 && (wanted === '\r\n\r\n' ? bytes.includes(wanted, at) : rest.includes(wanted))
    );
  });
}

/** Of one connection, or of one moment. */
const PASSING = ['connection', 'transfer-encoding', 'via', 'date', 'x-request-id', 'keep-alive'];
const sorted = (fields: readonly (readonly [string, string])[], without: readonly string[]) =>
  fields
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !without.includes(name))
    .sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0));

function shownResponse(response: DoorResponse, { varies }: CallCase) {
  const { status, whole, fields, content, interims } = response;
  const id = fields.find(([name]) => name === 'x-request-id')?.[1] ?? '-';
  const text = content.toString('latin1').replaceAll(id, 'ID');
  return {
    status: whole ? status : 0,
    begun: status,
    fields: sorted(fields, varies ? [...PASSING, 'content-length'] : PASSING),
    // A new token differs each time, and so does how long its exchange took.
    content: text
      .replaceAll(/"Token":"[^"]*"/gi, '"Token":"…"')
      .replaceAll(/\d{4}-\d\d-\d\dT[^"]*/g, 'TIME')
      .replaceAll(/"slowestMs":[0-9.]+/g, '"slowestMs":0'),
    // What HTTP/2's client has heard of 100, it does not tell.
    interims: interims
      .filter(([number]) => number !== 100)
      .map(([number, each]) => [number, sorted(each, PASSING)]),
  };
}

/** Fields to an upstream that say when, for which protocol, and through which of the gates. */
const OF_THE_WAY = [
  'x-request-id',
  'traceparent',
  'user-agent',
  'via',
  'forwarded',
  // HTTP/2 has none: it is made for the upstream.
  'sec-websocket-key',
];

function shownUpstream(upstreams: readonly RawUpstream[], tag: string) {
  const all = upstreams.flatMap(({ requests }) => requests);
  const [request] = all.filter((each) => valuesOf(each, 'user-agent').includes(tag));
  if (request === undefined)
    return upstreams.some(({ bytes }) => bytes.includes(tag)) ? 'part' : 'nothing';
  const fields = sorted(request.fields, OF_THE_WAY).map(([name, value]) =>
    name === 'x-forwarded-proto' ? [name, 'SCHEME'] : [name, value],
  );
  return { line: request.line, fields, body: request.body.toString('latin1') };
}

/** Of an event: what differs each time, and the two facts that are the door's own. */
const EACH_TIME =
  'id time seq chain requestId traceId durationMs gateMs upstreamMs instance door userAgent'.split(
    ' ',
  );

/** What is on record: read once for all that wait for it. */
let reading: Promise<readonly AuditEvent[]> | null = null;

function eventsOf({ events }: TestGateway): Promise<readonly AuditEvent[]> {
  reading ??= events().finally(() => {
    reading = null;
  });
  return reading;
}

async function recorded(gate: TestGateway, played: Played, outcomes: number): Promise<Seen> {
  const { tag, requestId, own, varies } = played;
  let events: readonly AuditEvent[] = [];
  await vi.waitUntil(async () => {
    const all = (await eventsOf(gate)).filter(({ type }) => type === 'call');
    // Who got no response knows no id; decisions say who asked.
    const id = requestId ?? all.find(({ userAgent }) => userAgent === tag)?.id;
    events = all.filter((event) => event.id === id);
    return events.length > outcomes;
  }, WAIT);
  const of = (phase: string) => {
    const [event, ...more] = events.filter((each) => each.phase === phase);
    expect(more, `${tag}: one ${phase}`).toEqual([]);
    return event === undefined ? null : shownEvent(event, own, varies ? BYTES : []);
  };
  const { response, upstream } = played;
  const door = events.find(({ phase }) => phase === 'decision')!.door ?? null;
  return { response, upstream, door, decision: of('decision'), outcome: of('outcome') };
}

const BYTES = ['requestBytes', 'responseBytes'];

function shownEvent(
  event: AuditEvent,
  own: Played['own'],
  without: readonly string[],
): Readonly<Record<string, unknown>> {
  const rest = Object.fromEntries(
    Object.entries(event).filter(([key]) => !EACH_TIME.includes(key) && !without.includes(key)),
  );
  return own === null ? rest : withoutOwn({ ...rest, tokenId: typeof rest.tokenId }, own);
}

/** Of an account that nobody else uses, its id and name. */
function withoutOwn<T>(what: T, own: Played['own']): T {
  if (own === null) return what;
  return JSON.parse(JSON.stringify(what).replaceAll(own.id, 'ID').replaceAll(own.name, 'NAME'));
}
