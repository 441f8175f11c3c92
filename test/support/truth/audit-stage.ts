import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { valuesOf } from '../http-bytes.ts';
import { type RawUpstream, startRawUpstream } from '../raw-upstream.ts';
import { PRIMARY_NAME, type RedisSentinels, startSentinels } from '../redis-sentinel.ts';
import { type RedisServer, startRedis } from '../redis-server.ts';
import { type AuditVerdict, type Counted, verdictOf } from './audit-verdict.ts';
import { Callers } from './callers.ts';
import { type GateProcess, type Gates, openGates } from './gates.ts';
import { type StoredEvent, storedInFile, storedInRedis } from './raw-record.ts';

export type AuditStore = 'Redis' | 'Sentinels' | 'embedded';
export type Durability = 'store' | 'local' | 'both';

export interface StageOptions {
  readonly store: AuditStore;
  readonly durability: Durability;
  /** Calls per second, of all gates together. */
  readonly rate: number;
  readonly leaseMs: number;
  /** Further keys of `audit` in the configuration. */
  readonly audit?: Readonly<Record<string, unknown>>;
}

const CALLERS = 8;
const LOST = 'sallyport_audit_events_total{outcome="lost"}';
const UNRECORDED = 'sallyport_audit_events_total{outcome="unrecorded"}';
/** Closing what an instance left open takes its lease and two looks, adopting a spool one look. */
const LOOKS_MS = 9000;
const SETTLE_MS = 60_000;

/** A store, an upstream, gates in processes of their own, and callers; and all that they said. */
export class AuditStage {
  readonly options: StageOptions;
  readonly gates: Gates;
  readonly #upstream: RawUpstream;
  readonly #redis: RedisServer | null;
  readonly #sentinels: RedisSentinels | null;
  readonly #callers: Callers[] = [];
  readonly #living = new Set<GateProcess>();
  readonly #gone = new Set<string>();
  readonly #mounts: string[] = [];
  #counted: Counted = { lost: 0, unrecorded: 0 };
  #lastName = '';

  private constructor(
    options: StageOptions,
    gates: Gates,
    parts: readonly [RawUpstream, RedisServer | null, RedisSentinels | null],
  ) {
    this.options = options;
    this.gates = gates;
    [this.#upstream, this.#redis, this.#sentinels] = parts;
  }

  static async open(options: StageOptions): Promise<AuditStage> {
    const { store, durability, leaseMs, audit } = options;
    const upstream = await startRawUpstream({
      answer: () => [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell' }],
    });
    const redis = store === 'Redis' ? await startRedis({ appendOnly: true }) : null;
    const sentinels = store === 'Sentinels' ? await startSentinels({ appendOnly: true }) : null;
    const addresses = sentinels?.addresses.map(({ host, port }) => `${host}:${port}`);
    const isFew = store === 'embedded';
    const gates = await openGates(
      redis?.url ?? (addresses && { sentinels: { name: PRIMARY_NAME, addresses } }) ?? null,
      upstream.url,
      {
        leaseMs,
        // Each refusal is recorded by itself, so that each answer has to find its record.
        audit: {
          foldRefusalsAfter: 1_000_000,
          durability,
          ...audit,
        },
        ...(isFew ? {} : { dataDir: (name: string) => `data-${name}` }),
      },
    );
    return new AuditStage(options, gates, [upstream, redis, sentinels]);
  }

  get redis(): RedisServer {
    if (this.#redis === null) throw new Error('there is no single Redis on this stage');
    return this.#redis;
  }

  get sentinels(): RedisSentinels {
    if (this.#sentinels === null) throw new Error('there are no sentinels on this stage');
    return this.#sentinels;
  }

  /** Where a gate of this name keeps its data. */
  dataDir(name: string): string {
    return join(this.gates.folder, this.options.store === 'embedded' ? 'data' : `data-${name}`);
  }

  async start(name: string): Promise<GateProcess> {
    this.#lastName = name;
    const gate = await this.gates.start(name);
    this.#living.add(gate);
    return gate;
  }

  /** Calls a gate from now on. @returns what ends it, and says what was answered so far */
  load(gate: GateProcess, rate = this.options.rate, callers = CALLERS): Callers {
    const load = new Callers(this.gates.token);
    this.#callers.push(load);
    load.start(gate.port, callers, rate);
    return load;
  }

  /** Ends a gate; `SIGKILL` and a second SIGTERM leave it no time for a word. */
  async end(gate: GateProcess, ...signals: readonly NodeJS.Signals[]): Promise<void> {
    this.#living.delete(gate);
    if (signals.length === 1 && signals[0] === 'SIGTERM') await this.#count(gate);
    else this.#gone.add(gate.instance);
    await gate.end(...signals);
  }

  /** A small file system of memory in the place of a folder. Throws where that is not allowed. */
  mount(path: string, options: string): () => void {
    mkdirSync(path, { recursive: true });
    const made = spawnSync('mount', ['-t', 'tmpfs', '-o', `mode=0700,${options}`, 'tmpfs', path]);
    if (made.status !== 0) throw new Error(`cannot mount a tmpfs: ${made.stderr}`);
    this.#mounts.push(path);
    return () => {
      spawnSync('umount', ['--lazy', path]);
      this.#mounts.splice(this.#mounts.indexOf(path), 1);
    };
  }

  /** Until all is written that is going to be, or a bounded time is over. */
  async finish(): Promise<AuditVerdict> {
    for (const load of this.#callers) await load.stop();
    const verdict = this.options.store === 'embedded' ? this.#atRest() : this.#running();
    return verdict;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#callers.map((load) => load.stop()));
    // Before the folder is removed, and gone for good with the last process that uses it.
    for (const path of this.#mounts) spawnSync('umount', ['--lazy', path]);
    await this.gates.stop();
    await this.#redis?.stop();
    await this.#sentinels?.stop();
    await this.#upstream.stop();
  }

  /** The file is read while nobody has it open: instance after instance tidies up. */
  async #atRest(): Promise<AuditVerdict> {
    for (const gate of [...this.#living]) await this.end(gate, 'SIGTERM');
    for (let time = 0; ; time += 1) {
      const verdict = await this.#verdict();
      if (isSettled(verdict, 0) || time === 4) return verdict;
      const next = await this.start(this.#lastName);
      await sleep(this.options.leaseMs + LOOKS_MS);
      await this.end(next, 'SIGTERM');
    }
  }

  async #running(): Promise<AuditVerdict> {
    // Under the name of the last one, whose spool is waiting in its folder.
    if (this.#living.size === 0) await this.start(this.#lastName);
    const endMs = performance.now() + SETTLE_MS + this.options.leaseMs;
    // Twice, one second apart: what was counted as lost may still be being replayed.
    for (let settled = 0; settled < 2 && performance.now() < endMs; await sleep(1000)) {
      const isWritten = (await this.#sum('sallyport_audit_pending')) === 0;
      const lost = this.#counted.lost + (await this.#sum(LOST));
      settled = isWritten && isSettled(await this.#verdict(), lost) ? settled + 1 : 0;
    }
    for (const gate of [...this.#living]) await this.end(gate, 'SIGTERM');
    return this.#verdict();
  }

  async #sum(metric: string): Promise<number> {
    const values = await Promise.all([...this.#living].map((gate) => gate.metric(metric)));
    return values.reduce((sum, value) => sum + value, 0);
  }

  async #count(gate: GateProcess): Promise<void> {
    const { lost, unrecorded } = this.#counted;
    this.#counted = {
      lost: lost + (await gate.metric(LOST)),
      unrecorded: unrecorded + (await gate.metric(UNRECORDED)),
    };
  }

  get counted(): Counted {
    return this.#counted;
  }

  async #stored(): Promise<readonly StoredEvent[]> {
    if (this.options.store === 'embedded') return storedInFile(`${this.dataDir('')}/audit.db`);
    const server = this.#redis ?? (await this.sentinels.primary());
    return storedInRedis(server.port);
  }

  async #verdict(): Promise<AuditVerdict> {
    return verdictOf({
      calls: this.#callers.flatMap((load) => load.calls),
      upstream: this.#upstream.requests.map((one) => valuesOf(one, 'x-request-id')[0] ?? ''),
      stored: await this.#stored(),
      counted: this.#counted,
      gone: this.#gone,
    });
  }
}

/** What is missing has been counted as lost. */
function isSettled({ open, withoutRecord, lost }: AuditVerdict, counted: number): boolean {
  if (lost > 0) return lost === counted;
  return open.length === 0 && withoutRecord.length === 0;
}
