import { Assertions } from '../../../src/assertion/assertions.ts';
import { newKey, type SigningKey } from '../../../src/assertion/key.ts';
import { EventBytes, type WriteEvent } from '../../../src/audit/event/bytes.ts';
import { CallEvents } from '../../../src/audit/event/call-event.ts';
import { OpenPermits } from '../../../src/audit/permits/open-permits.ts';
import type { AcceptanceWaiter, Outbox, Taken } from '../../../src/audit/port.ts';
import { Call } from '../../../src/calls/call.ts';
import type { CallMeasure } from '../../../src/calls/meter.ts';
import { OpenCalls } from '../../../src/calls/open-calls.ts';
import type { CallClient, CallServices, VerdictWords } from '../../../src/calls/port.ts';
import type { Renewal } from '../../../src/calls/renewal.ts';
import type { Decider } from '../../../src/decision/decide.ts';
import type { Route } from '../../../src/decision/route.ts';
import { PROXY_WORDS } from '../../../src/doors/decision/words.ts';
import { TrustedProxies } from '../../../src/http/client-address.ts';
import { requestFieldNames } from '../../../src/http/field-names.ts';
import type { Fields } from '../../../src/http/fields.ts';
import type { OwnResponse } from '../../../src/http/outgoing.ts';
import type { RequestHead } from '../../../src/http/request-head.ts';
import type { ResponseHead } from '../../../src/http/response-head.ts';
import { BodyBudget } from '../../../src/limits/body-budget.ts';
import { TunnelPlaces } from '../../../src/limits/tunnels.ts';
import type { Log } from '../../../src/telemetry/log.ts';
import { role } from '../account/samples.ts';
import { decider, head, PEER, route, SampleRegistry } from '../decision/samples.ts';
import { type FakeConnection, FakeUpstream } from '../forwarding/fake-upstream.ts';

const ANY = { application: { from: 'any' }, permission: 'deployments:read' } as const;
const METHODS = ['GET', 'POST', 'DELETE'];
const ROUTES: readonly Route[] = [
  route({ name: 'all', path: '/all', methods: METHODS, ...ANY }),
  route({ name: 'effort', path: '/effort', methods: METHODS, audit: 'best-effort', ...ANY }),
  route({ name: 'public', path: '/public', methods: ['GET'], access: 'public', permission: null }),
  route({
    name: 'body',
    path: '/body',
    methods: ['POST'],
    application: { from: 'body', variable: 'app' },
    permission: 'deployments:read',
    bodyVariables: [{ name: 'app', json: ['app'] }],
    bodyVariableBytes: 64,
  }),
  route({
    name: 'renew',
    path: '/renew',
    methods: ['POST'],
    action: 'renew-token',
    ...{ application: { from: 'any' }, permission: null, upstream: '' },
  }),
  route({ name: 'tunnel', path: '/tunnel', methods: ['GET'], upgrade: ['x-bytes'], ...ANY }),
  route({
    name: 'cors',
    path: '/cors',
    methods: ['POST'],
    cors: { origins: ['https://page.example'], headers: [], maxAgeSeconds: 60 },
    ...ANY,
  }),
];

/** What stands in a decision, or in an outcome. */
type Event = Readonly<Record<string, unknown>>;

/** The log's end: keeps what it is given until the test says that it has it, or never will. */
class FakeOutbox implements Outbox {
  readonly permits = new OpenPermits();
  readonly events: Event[] = [];
  full = false;
  healthy = true;
  takes: Taken = 'kept';
  /** Nobody waited for the last one. */
  unawaited = false;
  #waiting: AcceptanceWaiter[] = [];

  write<Facts>(
    write: WriteEvent<Facts>,
    facts: Facts,
    _account: string | null,
    waiter: AcceptanceWaiter | null,
  ): Taken {
    if (this.takes !== 'no-room') this.writeEnd(write, facts);
    this.unawaited = waiter === null;
    if (waiter === null) return this.takes;
    if (this.takes === 'kept') this.#waiting.push(waiter);
    else queueMicrotask(() => waiter.notAccepted());
    return this.takes;
  }

  writeEnd<Facts>(write: WriteEvent<Facts>, facts: Facts): void {
    const bytes = new EventBytes(1024);
    write(bytes, this.events.length + 1, facts);
    this.events.push(JSON.parse(bytes.written().toString()) as Event);
  }

  record = () => notOfCalls();
  recordEnd = () => notOfCalls();

  answer(how: keyof AcceptanceWaiter): void {
    for (const waiter of this.#waiting.splice(0)) waiter[how]();
  }

  close = () => Promise.resolve(0);
}

function notOfCalls(): never {
  throw new Error('no event of a call is recorded so');
}

/** A door's end of one call. What is called out of turn stands in `faults`. */
class FakeClient implements CallClient {
  readonly peer = PEER;
  readonly door = null;
  verdicts: VerdictWords | null = null;
  /** `own STATUS REASON`, `interim 103`, `head STATUS`, `body TEXT`, `end`, `cut`, `continue`. */
  readonly heard: string[] = [];
  readonly faults: string[] = [];
  /** Bytes of the request's body are here before they are asked for. */
  bodyHere = true;
  takesBody = false;
  /** What `flush` answers. */
  keepsUp = true;
  gone = false;
  /** What the head of the response said in `Server-Timing`. */
  timing: string | null = null;
  /** The last word has been said. */
  told = false;
  /** Of the response; what was discarded does not count. */
  flushed = false;

  #say(word: string, last = false): void {
    if (this.gone) this.faults.push(`${word} to a client that has gone`);
    if (this.told && word !== 'cut') this.faults.push(`${word} after the end`);
    this.told ||= last;
    this.heard.push(word);
  }

  own({ status, body }: OwnResponse): void {
    if (this.flushed) this.faults.push('a response of ours behind bytes of another');
    const reason = /"reason":"([a-z-]+)"/.exec(body)?.[1] ?? '';
    this.#say(`own ${status} ${reason}`.trim(), true);
  }

  interim({ status }: ResponseHead): void {
    this.#say(`interim ${status}`);
  }

  head({ status }: ResponseHead, { list }: Fields): void {
    const at = list.indexOf('Server-Timing');
    this.timing = at === -1 ? null : list[at + 1]!;
    this.#say(`head ${status}`);
  }

  tunnel({ status }: ResponseHead): void {
    this.#say(`tunnel ${status}`);
    this.takesBody = true;
  }

  lastBytes(bytes: Buffer): void {
    this.#say(`last ${bytes.toString('hex')}`, true);
  }

  body(content: Buffer): void {
    this.#say(`body ${content}`);
  }

  end(): void {
    this.#say('end', true);
  }

  flush(): boolean {
    if (this.told || this.gone) this.faults.push('flush after the end');
    this.flushed = true;
    return this.keepsUp;
  }

  cut(): void {
    this.#say('cut', true);
  }

  awaitBody(sayContinue: boolean): boolean {
    if (this.gone || this.told) this.faults.push('the body of nobody is awaited');
    if (sayContinue && !this.bodyHere) this.heard.push('continue');
    return this.bodyHere;
  }

  streams(): void {}

  pauseBody(): void {
    this.takesBody = false;
  }

  resumeBody(): boolean {
    if (this.gone || this.told) this.faults.push('the body of nobody is taken');
    this.takesBody = true;
    return false;
  }
}

export interface StageOptions {
  readonly request?: Partial<RequestHead>;
  readonly guarantee?: 'acknowledged' | 'buffered';
  /** Connections that the upstream has. */
  readonly connections?: number;
  readonly bodyBytes?: number;
  /** Of a client that only asks for a verdict, as the decision endpoint does. */
  readonly asks?: boolean;
  readonly serverTiming?: boolean;
  /** The upstream wants to be told who calls, signed. */
  readonly asserts?: boolean;
}

/** One call between fakes of its ports; what is decided is decided for real. */
export class CallStage {
  readonly client = new FakeClient();
  readonly outbox = new FakeOutbox();
  readonly registry = new SampleRegistry();
  readonly openCalls: OpenCalls;
  readonly upstream: FakeUpstream;
  readonly tunnels = new TunnelPlaces(() => 1);
  readonly heldBodies = new BodyBudget(4096, () => 1);
  readonly measures: CallMeasure[] = [];
  readonly logged: string[] = [];
  readonly token: string;
  readonly services: CallServices;
  readonly call: Call;
  readonly clock = {
    nowMs: 1,
    aheadMs: 0,
    wallMs(): number {
      return Date.UTC(2026, 10, 1) + this.aheadMs;
    },
    monotonicMs: () => 1,
  };
  /** What signs assertions; null: nothing can. */
  readonly keys: { signer: SigningKey | null } = { signer: null };
  /** The lease under which calls are permitted holds. */
  covered = true;
  /** Refusals come too thick to be recorded one by one. */
  flood = false;
  /** Decisions are late: they come with `decide()`. */
  readonly #late: (() => void)[] = [];
  #isLate = false;
  #broken = false;
  #renewal = Promise.withResolvers<Renewal>();

  constructor(options: StageOptions) {
    const { request = {}, guarantee = 'buffered', connections = 1, bodyBytes, asks } = options;
    if (asks) this.client.verdicts = PROXY_WORDS;
    this.upstream = new FakeUpstream(connections);
    this.registry.policy.putRole(role('viewer', 'deployments:read'));
    this.token = this.registry.withToken();
    this.openCalls = new OpenCalls(this.registry, this.clock, () => this.covered);
    this.services = {
      door: asks ? 'decision' : null,
      decider: this.#decider(),
      recordedAddress: (address) => address,
      recordedHeaders: null,
      outbox: this.outbox,
      events: new CallEvents('test-1'),
      floods: { folds: () => this.flood },
      honey: { presented: () => {} },
      meter: { callBegan: () => {}, callEnded: (measure) => this.#measure(measure) },
      openCalls: this.openCalls,
      uses: { note: () => {} },
      upstreams: new Map([['deployments', this.upstream.upstream]]),
      assertions: options.asserts === true ? this.#assertions() : null,
      renewToken: () => this.#renewal.promise,
      guarantee,
      bodyBytes: bodyBytes ?? 0,
      heldBodies: this.heldBodies,
      tunnels: this.tunnels,
      trustedProxies: new TrustedProxies([]),
      accessLog: null,
      serverTiming: options.serverTiming ?? false,
      traces: 'none',
      tracer: null,
      format: { errors: 'problem', realm: 'sallyport', gate: 'sallyport' },
      via: '',
      clock: this.clock,
      log: this.#log(),
      exhausted: (code) => void this.logged.push(`exhausted ${code}`),
      nextRequestId: () => 'request-1',
    };
    const authorization = `Bearer ${this.token}`;
    this.call = new Call(
      this.services,
      this.client,
      head({ path: '/all', authorization, ...request }),
    );
  }

  #assertions(): Assertions {
    const wish = { audience: 'deployments', lifetimeMs: 60_000, bind: null };
    const wishes = new Map([['deployments', wish]]);
    this.keys.signer = newKey(0);
    return new Assertions({ keys: this.keys, issuer: 'gate', clock: this.clock, wishes });
  }

  #decider(): Decider {
    const real = decider(this.registry, ROUTES);
    const decide: Decider['decide'] = (...question) => {
      if (!this.#isLate) return real.decide(...question);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#late.push(resolve);
      return promise.then(() => real.decide(...question));
    };
    return { ...real, decide };
  }

  #log(): Log {
    const say = (message: string) => void this.logged.push(message);
    const log: Log = { debug: say, info: say, warn: say, error: say, with: () => log };
    return log;
  }

  #measure(measure: CallMeasure): void {
    if (this.#broken) throw new Error('a fault in the meter');
    this.measures.push(measure);
  }

  /** No end of a call can be written down from now on. */
  breaksRecords(): void {
    this.#broken = true;
  }

  /** From now on a decision waits for `decide()`. */
  late(): this {
    this.#isLate = true;
    return this;
  }

  begin(): this {
    this.call.begin();
    return this;
  }

  /** What was late is there. */
  async decide(): Promise<void> {
    this.#isLate = false;
    for (const resolve of this.#late.splice(0)) resolve();
    await turn();
  }

  async renewed(how: Renewal | Error): Promise<void> {
    if (how instanceof Error) this.#renewal.reject(how);
    else this.#renewal.resolve(how);
    await turn();
  }

  leave(why?: 'draining'): void {
    this.client.gone = true;
    this.call.onClientGone(why);
  }

  get connection(): FakeConnection {
    return this.upstream.given.at(-1)!;
  }

  /** The decisions, the outcomes, in one word each. */
  phases(): string[] {
    return this.outbox.events.map(({ phase, reason }) => `${phase} ${reason}`);
  }

  /** What every call leaves behind once it is over. */
  leftovers(): string[] {
    const left: string[] = [...this.client.faults];
    const { size } = this.openCalls;
    if (size > 0) left.push(`${size} open calls`);
    if (this.heldBodies.takenBytes > 0) left.push(`${this.heldBodies.takenBytes} bytes held`);
    if (this.tunnels.open > 0) left.push('the place of a tunnel');
    if (!this.upstream.shares.isEmpty) left.push('a share of the upstream');
    if (this.outbox.permits.size > 0) left.push('a permit without an outcome');
    if (this.measures.length !== 1) left.push(`${this.measures.length} measurements`);
    if (!this.client.told && !this.client.gone) left.push('a client without an answer');
    return left;
  }
}

export const RENEWED: Renewal = {
  renewed: true,
  token: 'sp_new',
  expiresAt: null,
  revocation: undefined,
};
const JSON_TYPE = {
  names: [requestFieldNames.get('content-type')!],
  values: ['application/json'],
};

/** A request with a body of so many bytes. */
export function post(path: string, bytes = 4): Partial<RequestHead> {
  return { path, target: path, method: 'POST', framing: { kind: 'length', bytes }, ...JSON_TYPE };
}

/** Until what was promised has been heard. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
