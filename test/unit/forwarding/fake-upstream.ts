import type { Upstream } from '../../../src/forwarding/upstream.ts';
import type { OutgoingRequest } from '../../../src/http/outgoing.ts';
import type { ResponseHead } from '../../../src/http/response-head.ts';
import type { UpstreamConnection } from '../../../src/upstream/connection.ts';
import type { UpstreamPool } from '../../../src/upstream/pool.ts';
import type { ResponseReceiver, UpstreamFailure } from '../../../src/upstream/port.ts';
import { UpstreamShares } from '../../../src/upstream/shares.ts';

/** What an upstream's connection is told, in order; and it says what the test lets it say. */
export class FakeConnection {
  /** `hold`, `begin GET /path`, `body TEXT`, `end`, `resume`, `release`, `finish`, `destroy`. */
  readonly told: string[] = [];
  connected = true;
  heldSinceMs = 0;
  /** What `flush` answers. */
  takesMore = true;
  receiver: ResponseReceiver | null = null;
  destroyed = false;
  ended = false;

  begin(receiver: ResponseReceiver, { method, target }: OutgoingRequest): void {
    this.receiver = receiver;
    this.told.push(`begin ${method} ${target}`);
  }

  hold(): void {
    this.told.push('hold');
  }

  release(): void {
    this.told.push('release');
  }

  sendBody(content: Buffer): void {
    this.told.push(`body ${content.toString()}`);
  }

  sendEnd(): void {
    this.ended = true;
    this.told.push('end');
  }

  flush(): boolean {
    return this.takesMore;
  }

  resume(): void {
    this.told.push('resume');
  }

  /** As `destroy`, but for what was sent; it is over at once. */
  finish(over: () => void): void {
    this.destroyed = true;
    this.receiver = null;
    this.told.push('finish');
    over();
  }

  destroy(): void {
    this.destroyed = true;
    this.receiver = null;
    this.told.push('destroy');
  }

  /** The connection has served this exchange, or died of it: it says nothing more of it. */
  fails(failure: Partial<UpstreamFailure> = {}): void {
    const { receiver } = this;
    this.receiver = null;
    receiver?.onFailure(failureOf(failure));
  }

  ends(): void {
    const { receiver } = this;
    this.receiver = null;
    receiver?.onEnd(null);
  }
}

function failureOf(changes: Partial<UpstreamFailure> = {}): UpstreamFailure {
  return {
    kind: 'broken',
    detail: 'ECONNRESET',
    neverSent: false,
    staleConnection: false,
    ...changes,
  };
}

export function responseHead(status = 200, bytes = 4): ResponseHead {
  return {
    status,
    version: '1.1',
    reason: '',
    names: [],
    values: [],
    framing: { kind: 'length', bytes },
    nominated: [],
    keepAlive: true,
  };
}

/** A pool that gives out what the test has put there, and real shares of as many connections. */
export class FakeUpstream {
  /** What is left to give out. */
  readonly spare: FakeConnection[];
  readonly given: FakeConnection[] = [];
  retries = 0;
  /** `take repeatable`, `take`, `another than NUMBER`. */
  readonly asked: string[] = [];
  readonly shares: UpstreamShares;
  readonly upstream: Upstream;

  constructor(count = 1, accountShare = 1) {
    this.spare = Array.from({ length: count }, () => new FakeConnection());
    this.shares = new UpstreamShares({ publicShare: 1, accountShare }, () => count);
    const pool: Pick<UpstreamPool, 'take' | 'takeNew'> = {
      take: (repeatable) => this.#give(repeatable ? 'take repeatable' : 'take'),
      takeNew: (failed) =>
        this.#give(`another than ${this.given.indexOf(failed as unknown as FakeConnection)}`),
    };
    this.upstream = {
      name: 'deployments',
      host: null,
      authority: 'upstream:8080',
      streams: false,
      fields: null,
      pool: pool as UpstreamPool,
      shares: this.shares,
      retried: () => {
        this.retries += 1;
      },
    };
  }

  #give(how: string): UpstreamConnection | null {
    this.asked.push(how);
    const connection = this.spare.shift();
    if (connection === undefined) return null;
    this.given.push(connection);
    return connection as unknown as UpstreamConnection;
  }
}
