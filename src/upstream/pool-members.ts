import { isIP } from 'node:net';
import type { Deadlines } from '../deadlines.ts';
import { socketPathOf } from '../http/socket-address.ts';
import type { HealthChange } from './address-health.ts';
import { AddressPool, type AddressPoolOptions } from './address-pool.ts';
import type { ConnectionKeeper } from './connection.ts';
import { Dialer, type ServiceTarget, serviceOf, type UpstreamAddress } from './dialer.ts';
import { HealthProber } from './health-prober.ts';
import { grpcQuestion, httpQuestion } from './health-question.ts';
import { Http2PlacePool, openSingle } from './http2/place-pool.ts';
import type { PlacePool } from './place-pool.ts';
import type { HealthCheckOptions, PoolOptions } from './pool-options.ts';

/** The places of one name that are used at most. */
const MAX_PLACES = 64;
/** Of a server whose record says 0: next to nothing, and not nothing (RFC 2782). */
const LEAST_WEIGHT = 0.1;

/** One place that requests are sent to. */
export interface Member {
  readonly address: UpstreamAddress;
  /** Null until a name's addresses are known: each connection looks it up by itself. */
  readonly ip: string | null;
  /** Which server of a service; null: the address is of none, or none is known. */
  target: ServiceTarget | null;
  /** How many priorities of its service go before it. */
  rank: number;
  /** Its part of the exchanges. */
  weight: number;
  readonly dialer: Dialer;
  readonly pool: PlacePool;
  prober: HealthProber | null;
}

/**
 * The places behind the addresses of an upstream: one for each IP address, and as many as its
 * addresses for a name, kept as they are while the name goes on standing for them.
 *
 * ```
 *   api.internal:8080 ─▶ (looked up by each connection) ─▶ 10.0.0.1, 10.0.0.2 ─▶ 10.0.0.2, 10.0.0.7
 *                                                               10.0.0.1 drains: idle connections
 *                                                               close, busy ones at their end
 * ```
 */
export class PoolMembers {
  readonly #options: PoolOptions;
  readonly #deadlines: Deadlines;
  readonly #watches: (() => void)[] = [];
  /** Left the name and still busy. */
  readonly #leaving = new Set<Member>();
  #list: readonly Member[];
  #checking = false;
  #isWeighted = false;

  /** @param former of the same upstream, before a reload: what names stand for is known already */
  constructor(options: PoolOptions, deadlines: Deadlines, former: PoolMembers | null = null) {
    this.#options = options;
    this.#deadlines = deadlines;
    this.#list = options.addresses.flatMap((address) => {
      if (serviceOf(address.host) !== null)
        return this.#servers(address, former?.targetsOf(address) ?? [], []);
      return (former?.ipsOf(address) ?? [null]).map((ip) => this.#newMember(address, ip));
    });
    this.#isWeighted = areWeighted(this.#list);
    for (const address of options.addresses) {
      const service = serviceOf(address.host);
      if (service !== null) {
        const served = (targets: readonly ServiceTarget[]) => this.#served(address, targets);
        this.#watches.push(options.names.watchService(service, served));
        continue;
      }
      if (isIP(address.host) !== 0 || socketPathOf(address.host) !== null) continue;
      const moved = (ips: readonly string[]) => this.#moved(address, ips);
      this.#watches.push(options.names.watch(address.host, moved));
    }
  }

  /** In the order of the configuration. Never empty. */
  get list(): readonly Member[] {
    return this.#list;
  }

  /** What an address stands for; null where that is not known, or the address itself. */
  ipsOf({ host, port }: UpstreamAddress): readonly string[] | null {
    const ips = this.#list.flatMap(({ address, ip }) =>
      address.host === host && address.port === port && ip !== null ? [ip] : [],
    );
    return ips.length === 0 ? null : [...new Set(ips)];
  }

  /** The servers of a service, as far as they are known. */
  targetsOf({ host }: UpstreamAddress): readonly ServiceTarget[] {
    const targets = this.#list.flatMap(({ address, target }) =>
      address.host === host && target !== null ? [target] : [],
    );
    return [...new Set(targets)];
  }

  /** Whether they take unequal parts. */
  get isWeighted(): boolean {
    return this.#isWeighted;
  }

  /** With those that only end what they have begun. */
  *withLeaving(): Iterable<Member> {
    yield* this.#list;
    for (const member of this.#leaving) {
      if (member.pool.isEmpty) this.#leaving.delete(member);
      else yield member;
    }
  }

  startChecks(): void {
    this.#checking = true;
    for (const member of this.#list) this.#startCheck(member);
  }

  /** No more looking up and checking; the pools are the caller's to end. */
  stop(): void {
    for (const end of this.#watches) end();
    for (const { prober } of this.#list) prober?.stop();
  }

  #served(address: UpstreamAddress, targets: readonly ServiceTarget[]): void {
    const before = this.#list.filter((member) => member.address === address);
    this.#replace(address, before, this.#servers(address, targets, before));
    const words = (list: readonly ServiceTarget[]) =>
      list.map(({ host, port }) => `${host}:${port}`).sort();
    const from = before.flatMap(({ target }) => target ?? []);
    if (words(targets).join() !== words(from).join())
      this.#options.moved(address, words(targets), words(from));
  }

  /** One for each server; one that reaches nobody where there is none. Those of before are kept. */
  #servers(
    address: UpstreamAddress,
    targets: readonly ServiceTarget[],
    before: readonly Member[],
  ): readonly Member[] {
    if (targets.length === 0)
      return [before.find(({ target }) => target === null) ?? this.#newMember(address, null)];
    const priorities = [...new Set(targets.map(({ priority }) => priority))].sort((a, b) => a - b);
    return [...targets]
      .sort((a, b) => a.priority - b.priority || b.weight - a.weight)
      .slice(0, MAX_PLACES)
      .map((target) => {
        const same = before.find(
          (one) => one.target?.host === target.host && one.target.port === target.port,
        );
        const member = same ?? this.#newMember(address, null, target);
        const rank = priorities.indexOf(target.priority);
        const weight = Math.max(target.weight, LEAST_WEIGHT);
        return Object.assign(member, { target, rank, weight });
      });
  }

  #replace(address: UpstreamAddress, before: readonly Member[], next: readonly Member[]): void {
    this.#list = this.#options.addresses.flatMap((one) =>
      one === address ? next : this.#list.filter((member) => member.address === one),
    );
    this.#isWeighted = areWeighted(this.#list);
    for (const member of before.filter((one) => !next.includes(one))) this.#leave(member);
    if (this.#checking) for (const member of next) this.#startCheck(member);
  }

  #moved(address: UpstreamAddress, ips: readonly string[]): void {
    const wanted = [...ips].sort().slice(0, MAX_PLACES);
    const before = this.#list.filter((member) => member.address === address);
    const places = wanted.map(
      (ip) => before.find((member) => member.ip === ip) ?? this.#newMember(address, ip),
    );
    this.#replace(address, before, places);
    const from = before.flatMap(({ ip }) => ip ?? []);
    // The same again, of a name that a former pool knew.
    if (from.join(' ') !== wanted.join(' ')) this.#options.moved(address, wanted, from);
  }

  #leave(member: Member): void {
    member.prober?.stop();
    member.pool.retire();
    this.#leaving.add(member);
  }

  #newMember(
    address: UpstreamAddress,
    ip: string | null,
    target: ServiceTarget | null = null,
  ): Member {
    const { healthCheck, maxConnections, maxConnectionAgeMs, ejection, tls, names } = this.#options;
    const { places, budget, protocol } = this.#options;
    const dialer = new Dialer(
      { address, ip, target },
      tls,
      names.lookup,
      this.#deadlines,
      protocol,
    );
    const observer = (change: HealthChange, why: string) =>
      this.#options.healthChanged(
        { ...(target ?? address), ...(ip === null ? {} : { host: ip }) },
        change,
        why,
      );
    const state = places.enter(this.#placeOf(address, ip, target), {
      ejection,
      checks: healthCheck,
      observer,
    });
    const timeouts = this.#options;
    const pool = this.#newPool(dialer, {
      timeouts,
      maxConnections,
      maxConnectionAgeMs,
      state,
      budget,
    });
    return { address, ip, target, rank: 0, weight: 1, dialer, pool, prober: null };
  }

  #newPool(dialer: Dialer, options: AddressPoolOptions): PlacePool {
    return this.#options.protocol === 'http1'
      ? new AddressPool(dialer, options, this.#deadlines)
      : new Http2PlacePool(dialer, options, this.#deadlines);
  }

  /** An address that is listed twice is two places. */
  #placeOf(address: UpstreamAddress, ip: string | null, target: ServiceTarget | null): string {
    const { host, port } = address;
    const same = this.#options.addresses.filter((one) => one.host === host && one.port === port);
    const server = target === null ? '' : ` ${target.host}:${target.port}`;
    return `${host} ${port} ${ip} ${same.indexOf(address)}${server}`;
  }

  #startCheck(member: Member): void {
    const { healthCheck } = this.#options;
    if (healthCheck !== null)
      member.prober ??= newProber(member, this.#options, healthCheck, this.#deadlines);
  }
}

function areWeighted(members: readonly Member[]): boolean {
  return new Set(members.map(({ weight }) => weight)).size > 1;
}

function newProber(
  { address, dialer, pool }: Member,
  options: PoolOptions,
  check: HealthCheckOptions,
  deadlines: Deadlines,
): HealthProber {
  const own = options.checkFields?.() ?? null;
  const host = options.checkHost(address);
  const { path, grpcService, timeoutMs } = check;
  const result = (passed: boolean | null, why: string) => {
    if (passed !== null) pool.health.checked(passed, why);
  };
  return new HealthProber({
    open: (timeouts) =>
      options.protocol === 'http1'
        ? dialer.open(PROBE, timeouts)
        : openSingle(dialer, timeouts, deadlines),
    question:
      path === null
        ? grpcQuestion(grpcService ?? '', timeoutMs, host, own)
        : httpQuestion(path, host, own),
    intervalMs: check.intervalMs,
    timeoutMs,
    result,
  });
}

/** A check's connection serves one exchange. */
const PROBE: ConnectionKeeper = {
  free: (connection) => connection.destroy(),
  gone: () => {},
  answered: () => {},
  failed: () => {},
};
