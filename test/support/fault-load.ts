import { setTimeout as sleep } from 'node:timers/promises';
import { newToken } from '../../src/account/token.ts';
import { owner, type RouteText, type TestGateway } from './gateway.ts';

/** What a fault did to those who call, and to those who administer. */
export interface FaultReport {
  /**
   * Of callers whose account the gate knows: on the route that needs no record, and on the one
   * whose calls wait for theirs.
   */
  readonly known: Toll;
  readonly recorded: Toll;
  /** Of callers whom the gate had never met. */
  readonly unmet: Toll;
  /**
   * Rotations that were answered as in force while it went on; their old tokens were tried ever
   * after.
   */
  readonly revoked: number;
  /** Changes that could not be made. */
  readonly changesFailed: number;
  /** Every answer that must never be given, as sentences. */
  readonly wrong: readonly string[];
}

export interface Toll {
  readonly calls: number;
  /** Not answered as they should be: 503, or no answer. */
  readonly failed: number;
  /** From the beginning of the fault to the end of the last call that failed; 0 when none did. */
  readonly recoveryMs: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Routes of a gate under `underFault`. */
export function faultRoutes(upstream: string): readonly RouteText[] {
  const route = { methods: ['POST'], application: 'any', permission: 'test:all', upstream };
  return [
    { name: 'unrecorded', path: '/unrecorded', ...route, audit: 'best-effort' },
    { name: 'recorded', path: '/recorded', ...route },
  ];
}

const EVERY_MS = {
  known: 5,
  recorded: 10,
  unmet: 40,
  revoked: 10,
  unknown: 25,
  rotate: 40,
} as const;
const POOL = { unmet: 150, rotated: 150 } as const;
/** Undisturbed load before the fault, and after the last failure. */
const CALM_MS = 1_000;
const RECOVERY_LIMIT_MS = 60_000;
const CALL_LIMIT_MS = 10_000;

interface Seen {
  readonly endedMs: number;
  readonly tookMs: number;
  readonly status: number;
}

/**
 * Calls a gate in all ways while a fault happens, until nothing has failed for a second. The gate's
 * administration rotates tokens all the while; a token whose rotation was answered as in force must
 * not be let in ever after, one that nobody has never, and one that counts must not be called
 * unknown.
 */
export async function underFault(
  gate: TestGateway,
  fault: () => Promise<unknown>,
): Promise<FaultReport> {
  const load = new Load(gate);
  await load.prepare();
  const done = load.run();
  await sleep(CALM_MS);
  load.begin();
  try {
    await fault();
    await load.calm();
  } finally {
    load.stop();
    await done;
  }
  return load.report();
}

class Load {
  readonly #gate: TestGateway;
  readonly #seen: Record<'known' | 'recorded' | 'unmet', Seen[]> = {
    known: [],
    recorded: [],
    unmet: [],
  };
  readonly #unmet: string[] = [];
  readonly #rotatable: { readonly id: string; readonly token: string }[] = [];
  readonly #revoked: string[] = [];
  readonly #wrong = new Set<string>();
  #beganMs = Number.POSITIVE_INFINITY;
  #changesFailed = 0;
  #over = false;

  constructor(gate: TestGateway) {
    this.#gate = gate;
  }

  async prepare(): Promise<void> {
    const make = async (kind: string, n: number) =>
      this.#gate.createAccount({ name: `${kind}-${n}-${Date.now()}`, role: 'tester' });
    for (let n = 0; n < POOL.unmet; n += 1) this.#unmet.push((await make('unmet', n)).token);
    for (let n = 0; n < POOL.rotated; n += 1) this.#rotatable.push(await make('rotated', n));
    await this.#call(this.#gate.token, '/recorded');
  }

  async run(): Promise<void> {
    const { token } = this.#gate;
    await Promise.all([
      this.#every(EVERY_MS.known, () => this.#expectIn('known', token, '/unrecorded')),
      this.#every(EVERY_MS.recorded, () => this.#expectIn('recorded', token, '/recorded')),
      this.#every(EVERY_MS.unmet, async () => {
        const unmet = this.#unmet.pop();
        if (unmet !== undefined) await this.#expectIn('unmet', unmet, '/unrecorded');
      }),
      this.#every(EVERY_MS.revoked, async () => {
        const revoked = this.#revoked[Math.floor(Math.random() * this.#revoked.length)];
        if (revoked !== undefined) await this.#expectOut('a revoked token', revoked);
      }),
      this.#every(EVERY_MS.unknown, () =>
        this.#expectOut('a token that nobody has', newToken('000000000000')),
      ),
      this.#every(EVERY_MS.rotate, () => this.#rotate()),
    ]);
  }

  begin(): void {
    this.#beganMs = performance.now();
  }

  /** Until nothing has failed for a while. */
  async calm(): Promise<void> {
    const endMs = performance.now() + RECOVERY_LIMIT_MS;
    const calmSinceMs = performance.now();
    for (;;) {
      const last = Math.max(
        calmSinceMs,
        ...(['known', 'recorded'] as const).map((kind) => this.#lastFailureMs(kind)),
      );
      if (performance.now() - last > CALM_MS) return;
      if (performance.now() > endMs)
        throw new Error(`calls still failed ${RECOVERY_LIMIT_MS} ms after the fault`);
      await sleep(50);
    }
  }

  stop(): void {
    this.#over = true;
  }

  report(): FaultReport {
    const { known, recorded, unmet } = this.#seen;
    return {
      known: this.#toll(known),
      recorded: this.#toll(recorded),
      unmet: this.#toll(unmet),
      revoked: this.#revoked.length,
      changesFailed: this.#changesFailed,
      wrong: [...this.#wrong],
    };
  }

  /** Counted from the beginning of the fault on. */
  #toll(all: readonly Seen[]): Toll {
    const seen = all.filter(({ endedMs }) => endedMs >= this.#beganMs);
    const failed = seen.filter(({ status }) => status !== 200);
    const times = seen.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
    return {
      calls: seen.length,
      failed: failed.length,
      recoveryMs: Math.round(Math.max(0, ...failed.map(({ endedMs }) => endedMs - this.#beganMs))),
      p99Ms: Math.round(times[Math.ceil(times.length * 0.99) - 1] ?? 0),
      maxMs: Math.round(times.at(-1) ?? 0),
    };
  }

  #lastFailureMs(kind: 'known' | 'recorded'): number {
    return this.#seen[kind].findLast(({ status }) => status !== 200)?.endedMs ?? 0;
  }

  /** One after the other, at most so often: who waits for an answer asks nothing meanwhile. */
  async #every(everyMs: number, work: () => Promise<void>): Promise<void> {
    while (!this.#over) {
      const dueMs = performance.now() + everyMs;
      await work();
      await sleep(Math.max(0, dueMs - performance.now()));
    }
  }

  async #expectIn(
    kind: 'known' | 'recorded' | 'unmet',
    token: string,
    path: string,
  ): Promise<void> {
    const startedMs = performance.now();
    const status = await this.#call(token, path);
    const endedMs = performance.now();
    this.#seen[kind].push({ endedMs, tookMs: endedMs - startedMs, status });
    if (![200, 503, 0].includes(status))
      this.#wrong.add(`a token that counts got ${status} (${kind})`);
  }

  async #expectOut(whose: string, token: string): Promise<void> {
    const status = await this.#call(token, '/unrecorded');
    if (![401, 503, 0].includes(status)) this.#wrong.add(`${whose} got ${status}`);
  }

  async #rotate(): Promise<void> {
    const account = this.#rotatable.pop();
    if (account === undefined) return;
    // The gate knows it, so that it has something to forget.
    await this.#call(account.token, '/unrecorded');
    try {
      const { revocation } = await this.#gate.administration.rotateToken(owner, {
        id: account.id,
        waitMs: 1_000,
      });
      if (revocation?.effective === true) this.#revoked.push(account.token);
    } catch {
      // Whether it was made is not known, so nothing is expected of the old token.
      this.#changesFailed += 1;
    }
  }

  /** 0 = no answer. */
  async #call(token: string, path: string): Promise<number> {
    try {
      const response = await fetch(this.#gate.url + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(CALL_LIMIT_MS),
      });
      await response.arrayBuffer();
      return response.status;
    } catch {
      return 0;
    }
  }
}
