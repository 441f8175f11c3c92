import type { Clock } from '../clock.ts';
import type { Origin } from '../decision/origin.ts';
import type { RouteTable } from '../decision/route-table.ts';
import { whyNoLonger } from '../decision/still-permitted.ts';
import { keepsTunnel } from '../decision/tunnel-route.ts';
import type { Permit } from '../decision/verdict.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { RefusalReason } from '../refusal.ts';
import type { FeedEvent } from '../registry/port.ts';
import type { Lookup, RegistryView } from '../registry/replica/port.ts';

/** A call that was permitted and is not over. */
export interface OpenCall {
  readonly permit: Permit;
  /** From where the call came. Asked only when it is judged again. */
  readonly origin: Origin;
  /** What was asked for. Null: what came could not be read as a request. */
  readonly head: Pick<RequestHead, 'host' | 'path' | 'method'> | null;
  /** Where it stands in the list of open calls, which is the only one to set it; -1 = not there. */
  place: number;
  /**
   * The registry says no now: nothing more is given to the upstream or to the client. Must not
   * throw.
   */
  shutOut(reason: RefusalReason): void;
}

/**
 * The calls of accounts that are under way: a stream of events or a long transfer would otherwise
 * outlive the token that opened it.
 *
 * One list for all of them. A request pays for one entry and one removal; a change to the registry,
 * which is rare, walks the list (there are as many as connections at most). No set: that keeps what
 * was removed until it grows or shrinks, and so makes calls outlive the collections of the young
 * heap.
 */
export class OpenCalls {
  readonly #view: RegistryView;
  readonly #clock: Clock;
  readonly #open: OpenCall[] = [];
  /** Accounts whose calls could not be judged yet, because the account is no longer cached. */
  readonly #doubtful = new Set<string>();

  readonly #covers: (nowMs?: number) => boolean;

  /**
   * @param covers whether the lease has not ended under which what is open was permitted. Default:
   * whether the registry is current
   */
  constructor(
    view: RegistryView,
    clock: Clock,
    covers: (nowMs?: number) => boolean = () => view.current,
  ) {
    this.#view = view;
    this.#clock = clock;
    this.#covers = covers;
  }

  /**
   * Whether open calls may go on at this moment. Asked once per read: a process that was stopped
   * finds its upstreams' bytes before the timer that would have ended the calls.
   *
   * @param nowMs monotonic clock, for whoever has just looked at it
   */
  covered(nowMs?: number): boolean {
    return this.#covers(nowMs);
  }

  /** The lease has ended under which they were permitted: all of them end before this returns. */
  lapsed(): void {
    this.#doubtful.clear();
    for (const call of this.#open.splice(0)) {
      call.place = -1;
      call.shutOut('registry-unavailable');
    }
  }

  get size(): number {
    return this.#open.length;
  }

  /** How many each of these accounts has, for people who ask. An account with none is not named. */
  countsOf(accounts: ReadonlySet<string>): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { permit } of this.#open) {
      const id = permit.account?.account.id;
      if (id !== undefined && accounts.has(id)) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    return counts;
  }

  add(call: OpenCall): void {
    call.place = this.#open.push(call) - 1;
  }

  /** The last one takes its place. A call that is not there is left alone. */
  remove(call: OpenCall): void {
    const { place } = call;
    if (place === -1) return;
    call.place = -1;
    const last = this.#open.pop()!;
    if (last === call) return;
    this.#open[place] = last;
    last.place = place;
  }

  /**
   * Whether a permit would be issued at this moment, as far as that can be told without waiting.
   */
  stands(permit: Permit, origin: Origin): boolean {
    const id = permit.account?.account.id;
    if (id === undefined) return true;
    const lookup = this.#view.cached(id);
    return (
      lookup !== null &&
      lookup.found !== 'unavailable' &&
      this.#why(permit, origin, lookup) === null
    );
  }

  /** An event is applied: who it shuts out is cut off before this returns. */
  changed(event: FeedEvent): void {
    const accounts = new Set(
      event.changes.flatMap(({ kind, key }) => (kind === 'account' ? [key] : [])),
    );
    if (event.unreadable !== undefined) this.#shutOut(new Set(event.unreadable));
    const everyone = event.changes.some(({ kind }) => kind !== 'account');
    this.#judge(everyone ? null : accounts);
  }

  /** Everything was loaded anew, and nothing is cached. */
  reloaded(): void {
    this.#judge(null);
  }

  /**
   * The configuration has other routes. Calls end by themselves, and finish by those that they were
   * permitted by; tunnels may last for ever, and those end that would not be permitted as they
   * were.
   */
  rerouted(table: Pick<RouteTable, 'match'>): void {
    for (const call of [...this.#open]) {
      if (keepsTunnel(call.permit, call.head, table)) continue;
      this.remove(call);
      call.shutOut('upgrade-refused');
    }
  }

  /** Whether no call is in doubt. */
  get judged(): boolean {
    return this.#doubtful.size === 0;
  }

  /**
   * Whether every call under way was judged by what is applied now. What had to be looked up is
   * asked for.
   */
  settled(): boolean | Promise<boolean> {
    return this.#doubtful.size === 0 ? true : this.#settle();
  }

  /**
   * Time alone ends the overlap of a rotation, an account that has an expiry, and a certificate
   * that an account is bound to. Called now and then.
   */
  sweep(): void {
    const nowMs = this.#clock.wallMs();
    const over = new Set<string>();
    for (const { permit } of this.#open) {
      if (permit.account === null) continue;
      const { id } = permit.account.account;
      // As it is now: an expiry may have been set since the call was permitted.
      const lookup = this.#view.cached(id);
      const account = lookup?.found === 'account' ? lookup.account : permit.account;
      const { expiresAtMs, previousUntilMs } = account;
      const { boundTo } = account.account;
      const isOver = expiresAtMs !== null && nowMs >= expiresAtMs;
      if (isOver || previousUntilMs > 0 || boundTo !== undefined) over.add(id);
    }
    if (over.size > 0) this.#judge(over);
  }

  /** Nobody can vouch for these accounts: what they have open ends before this returns. */
  #shutOut(accounts: ReadonlySet<string>): void {
    for (const call of [...this.#open]) {
      const id = call.permit.account?.account.id;
      if (id === undefined || !accounts.has(id)) continue;
      this.remove(call);
      call.shutOut('registry-unavailable');
    }
  }

  /** @param accounts null = all */
  #judge(accounts: ReadonlySet<string> | null): void {
    // A copy: whoever is shut out leaves the list.
    for (const call of [...this.#open]) {
      const id = call.permit.account?.account.id;
      if (id === undefined || (accounts !== null && !accounts.has(id))) continue;
      const lookup = this.#view.cached(id);
      if (lookup === null || lookup.found === 'unavailable') this.#doubtful.add(id);
      else this.#conclude(call, lookup);
    }
  }

  async #settle(): Promise<boolean> {
    for (const id of [...this.#doubtful]) {
      const concerned = () => this.#open.filter(({ permit }) => permit.account?.account.id === id);
      const lookup = concerned().length === 0 ? null : await this.#view.lookup(id);
      if (lookup?.found === 'unavailable') return false;
      for (const call of concerned()) if (lookup !== null) this.#conclude(call, lookup);
      this.#doubtful.delete(id);
    }
    return this.#doubtful.size === 0;
  }

  #conclude(call: OpenCall, lookup: Exclude<Lookup, { found: 'unavailable' }>): void {
    const why = call.place === -1 ? null : this.#why(call.permit, call.origin, lookup);
    if (why === null) return;
    this.remove(call);
    call.shutOut(why);
  }

  #why(
    permit: Permit,
    origin: Origin,
    lookup: Exclude<Lookup, { found: 'unavailable' }>,
  ): RefusalReason | null {
    return whyNoLonger(this.#view, permit, origin, lookup, this.#clock.wallMs());
  }
}
