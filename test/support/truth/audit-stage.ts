import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { valuesOf } from '../http-bytes.ts';
import { type RawUpstream, startRawUpstream } from '../raw-upstream.ts';
import type { RedisCluster } from '../redis-cluster.ts';
import type { RedisSentinels } from '../redis-sentinel.ts';
import type { RedisServer } from '../redis-server.ts';
import { proofFaults } from './audit-proof.ts';
import { type AuditVerdict, type Counted, verdictOf } from './audit-verdict.ts';
import { Callers } from './callers.ts';
import { type GateProcess, type Gates, openGates } from './gates.ts';
import { placeOf, type StoredEvent } from './raw-record.ts';
import { type AuditStore, openStore, type StagedStore } from './stores.ts';

export type Durability = 'store' | 'local' | 'both';

export interface StageOptions {
  readonly store: AuditStore;
  readonly durability: Durability;
  /** Calls per second, of all gates together. */
  readonly rate: number;
  readonly leaseMs: number;
  /** Further keys of `audit` in the configuration. */
  readonly audit?: Readonly<Record<string, unknown>>;
  /** Processes of each gate. Default: one. */
  readonly workers?: number;
  /** A disk loses the last events of an instance, of which nobody else may know. */
  readonly losesEnds?: boolean;
}

/** What four witnesses say, and what the log proves of itself. */
export interface Proven {
  readonly verdict: AuditVerdict;
  /** `audit verify`: gaps and edits, and where it is not right. */
  readonly gaps: number;
  readonly edits: number;
  readonly faults: readonly string[];
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
  readonly #store: StagedStore;
  readonly #callers: Callers[] = [];
  readonly #living = new Set<GateProcess>();
  readonly #gone = new Set<string>();
  readonly #mounts: string[] = [];
  #counted: Counted = { lost: 0, unrecorded: 0 };
  #lastName = '';
  #losesWorkers = false;

  private constructor(
    options: StageOptions,
    gates: Gates,
    upstream: RawUpstream,
    store: StagedStore,
  ) {
    this.options = options;
    this.gates = gates;
    this.#upstream = upstream;
    this.#store = store;
  }

  static async open(options: StageOptions): Promise<AuditStage> {
    const { durability, leaseMs, audit, workers } = options;
    const upstream = await startRawUpstream({
      answer: () => [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell' }],
    });
    const store = await openStore(options.store);
    const gates = await openGates(store.address, upstream.url, {
      leaseMs,
      // Each refusal is recorded by itself, so that each answer has to find its record.
      audit: { foldRefusalsAfter: 1_000_000, durability, ...audit },
      ...(workers === undefined ? {} : { workers }),
      ...(store.kind === 'embedded' ? {} : { dataDir: (name: string) => `data-${name}` }),
    });
    return new AuditStage(options, gates, upstream, store);
  }

  get redis(): RedisServer {
    return this.#of('redis');
  }

  get sentinels(): RedisSentinels {
    return this.#of('sentinels');
  }

  get cluster(): RedisCluster {
    return this.#of('cluster');
  }

  #of<Part extends 'redis' | 'sentinels' | 'cluster'>(part: Part): NonNullable<StagedStore[Part]> {
    const found = this.#store[part];
    if (found === null) throw new Error(`there is no ${part} on this stage`);
    return found;
  }

  /** In a Cluster: the port of the primary that has the stream of a gate, and its slot. */
  placeOf(gate: GateProcess): Promise<{ readonly port: number; readonly slot: number }> {
    return placeOf(
      gate.instance,
      this.cluster.addresses.map(({ port }) => port),
    );
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

  /** One of its processes, by kill -9; another one is started in its place. */
  killWorker({ child }: GateProcess, which: number): void {
    const listed = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
    const pids = listed.trim().split(' ').map(Number);
    this.#losesWorkers = true;
    process.kill(pids[which % pids.length]!, 'SIGKILL');
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
  async finish(): Promise<Proven> {
    for (const load of this.#callers) await load.stop();
    const verdict = await (this.#store.kind === 'embedded' ? this.#atRest() : this.#running());
    const proof = await this.gates.verify();
    const stored = await this.#store.stored(this.dataDir(''));
    const faults = proofFaults(proof, stored, this.options.losesEnds === true);
    return { verdict, gaps: proof.gaps, edits: proof.edits, faults };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#callers.map((load) => load.stop()));
    // Before the folder is removed, and gone for good with the last process that uses it.
    for (const path of this.#mounts) spawnSync('umount', ['--lazy', path]);
    await this.gates.stop();
    await this.#store.stop();
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

  async #verdict(): Promise<AuditVerdict> {
    const stored = await this.#store.stored(this.dataDir(''));
    return verdictOf({
      calls: this.#callers.flatMap((load) => load.calls),
      upstream: this.#upstream.requests.map((one) => valuesOf(one, 'x-request-id')[0] ?? ''),
      stored,
      counted: this.#counted,
      gone: this.#losesWorkers ? silentIn(stored) : this.#gone,
    });
  }
}

/** Instances that have not said that they ended. */
function silentIn(stored: readonly StoredEvent[]): ReadonlySet<string> {
  const begun = new Set(stored.map(({ event }) => String(event.instance)));
  for (const { event } of stored)
    if (event.type === 'instance-ended') begun.delete(String(event.instance));
  return begun;
}

/** What is missing has been counted as lost. */
function isSettled({ open, withoutRecord, lost }: AuditVerdict, counted: number): boolean {
  if (lost > 0) return lost === counted;
  return open.length === 0 && withoutRecord.length === 0;
}
