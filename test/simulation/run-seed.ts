import { newToken, tokenDigest, tokenId } from '../../src/account/token.ts';
import { storeOwner } from '../../src/admin/actor.ts';
import { type Administration, createAdministration } from '../../src/admin/administration.ts';
import { AdminError } from '../../src/admin/error.ts';
import { type OpenCall, OpenCalls } from '../../src/calls/open-calls.ts';
import { prove } from '../../src/decision/authenticate.ts';
import type { Permit } from '../../src/decision/verdict.ts';
import { RegistryUnavailable } from '../../src/registry/port.ts';
import { MemberKeeper } from '../../src/registry/receipts/member-keeper.ts';
import type { Revocation } from '../../src/registry/receipts/receipt.ts';
import { RedisRegistryStore } from '../../src/registry/redis/registry.ts';
import { RedisRegistrySource } from '../../src/registry/redis/source.ts';
import type { Lookup } from '../../src/registry/replica/port.ts';
import { Replica } from '../../src/registry/replica/replica.ts';
import { registryKeys } from '../../src/store/keys.ts';
import { SimDatabase } from './sim-database.ts';
import { Link, SimConnection, SimServer } from './sim-redis.ts';
import { Process, World } from './world.ts';

/**
 * What goes wrong in a run. In all: connections are cut or slow, and the store's wall clock is set.
 * `stops`: processes are stopped, wall clocks jump both ways. `sleeps`:
 * machines are suspended, wall clocks jump ahead (a clock that is set back on a machine that sleeps
 * within one lease is more than two clocks can tell). `failover`: another primary takes over with
 * all changes, while the old one still answers reads. `loss`: it takes over without the last
 * changes.
 */
export const MODES = ['stops', 'sleeps', 'failover', 'loss'] as const;
export type Mode = (typeof MODES)[number];

export interface Outcome {
  readonly seed: number;
  readonly mode: Mode;
  /** Null: every promise was kept. */
  readonly violation: string | null;
  readonly accepted: number;
  /** What open calls were given. */
  readonly streamed: number;
  readonly refused: number;
  readonly unavailable: number;
  readonly effective: number;
  readonly uncertain: number;
  readonly failovers: number;
  /** What happened, in order; only when asked for. */
  readonly log: readonly string[];
}

const HORIZON_MS = 14_000;
const PREFIX = 'sim';
const KEYS = registryKeys(PREFIX);
const INSTANCES = 3;
const KEEPER_MS = 400;
/** How long an open call may have nothing to give. */
const GIVES_MS = [20, 60, 120, 2_500];
/**
 * So many of the calls stay open. More than half of these end with the lease that permitted them
 * (476 of 884 in seeds 0 to 199 with 0.03), and all of them together are to be given enough to
 * prove something.
 */
const STREAMS = 0.1;
const READER = {
  name: 'reader',
  version: 0,
  description: '',
  permissions: ['api:read'],
  createdAt: '2026-01-01T00:00:00.000Z',
  updatedAt: '2026-01-01T00:00:00.000Z',
};
/** What every call needs. */
const ROUTE = { permission: 'api:read', action: null } as Permit['route'];
const ACCOUNTS = ['one', 'two', 'three', 'four'] as const;
/** A team that owns an application at times, and the application. */
const [TEAM, APPLICATION] = ['crew', 'app'];
/** Who is in it: what the one may do in an application that it owns is what the other may not. */
const MEMBERS: Readonly<Record<string, { readonly role: string; readonly inTeam: string }>> = {
  three: { role: READER.name, inTeam: 'none' },
  four: { role: 'none', inTeam: READER.name },
};
/** What bans somebody, by what takes the ban away. */
const LIFTED_BY = {
  activate: 'deactivate',
  raise: 'lower',
  widen: 'narrow',
  give: 'take',
  take: 'give',
} as const;
type Lifting = keyof typeof LIFTED_BY;
type Banning = (typeof LIFTED_BY)[Lifting];
/** Instead of an account, for what concerns a role or team. */
const POLICY = 'policy';
const owner = storeOwner('simulation', 'command-line');

interface Instance {
  readonly process: Process;
  readonly link: Link;
  readonly replica: Replica;
  readonly calls: OpenCalls;
  readonly leaseMs: number;
}

type Verdict = Permit | 'refused';

/** From when on something may not be let in, and by whom: null = by anybody. */
interface Ban {
  readonly sinceMs: number;
  readonly by: ReadonlySet<string> | null;
}

interface Issued {
  readonly token: string;
  readonly account: string;
  bans: Ban[];
}

class Run {
  readonly #world: World;
  readonly #mode: Mode;
  readonly #verbose: boolean;
  readonly #log: string[] = [];
  readonly #instances: Instance[] = [];
  readonly #admin: { readonly process: Process; readonly link: Link };
  readonly #store: RedisRegistryStore;
  readonly #administration: Administration;
  readonly #issued: Issued[] = [];
  readonly #ids = new Map<string, string>();
  /** Bans on accounts and by role and team, lifted by taking the change back. */
  readonly #banned: Readonly<Record<Banning, Map<string, Ban[]>>> = {
    deactivate: new Map(),
    lower: new Map(),
    narrow: new Map([[POLICY, []]]),
    take: new Map([[POLICY, []]]),
    give: new Map([[POLICY, []]]),
  };
  /**
   * How often a ban was lifted: a receipt for what was before says nothing about what came after.
   */
  readonly #lifted = new Map<string, number>();
  readonly #changes = new Map<string, Promise<void>>();
  /** What is open. */
  readonly #streams = new Set<{
    readonly instance: Instance;
    readonly known: Issued | null;
    readonly application: string | null;
  }>();
  #server: SimServer;
  #violation: string | null = null;
  readonly #counts = {
    accepted: 0,
    streamed: 0,
    refused: 0,
    unavailable: 0,
    effective: 0,
    uncertain: 0,
    failovers: 0,
  };

  constructor(seed: number, mode: Mode, verbose: boolean) {
    this.#world = new World(seed);
    this.#mode = mode;
    this.#verbose = verbose;
    this.#server = new SimServer(this.#world, new SimDatabase(), mode === 'loss');
    const process = new Process(this.#world, 'admin');
    const link = new Link(this.#server);
    const connection = new SimConnection(this.#world, process, link, 500);
    if (mode === 'failover' || mode === 'loss')
      connection.info = 'role:master\r\nconnected_slaves:1\r\nrepl_backlog_active:1';
    this.#admin = { process, link };
    this.#store = new RedisRegistryStore(connection, {
      keyPrefix: PREFIX,
      name: 'admin',
      timing: process.timing,
    });
    this.#administration = createAdministration({
      store: this.#store,
      clock: process,
      instance: null,
      timing: process.timing,
    });
  }

  async run(): Promise<Omit<Outcome, 'seed' | 'mode'>> {
    const ready = this.#prepare();
    await this.#world.runUntil(200);
    await ready;
    for (let n = 0; n < INSTANCES; n += 1) this.#join(`edge-${n}`);
    void this.#keepMembers();
    this.#plan();
    await this.#world.runUntil(HORIZON_MS);
    await this.#end();
    return { violation: this.#violation, ...this.#counts, log: this.#log };
  }

  async #prepare(): Promise<void> {
    await this.#store.initialise([READER]);
    await this.#administration.createTeam(owner, { name: TEAM });
    for (const name of ACCOUNTS) {
      const { role = READER.name, inTeam = null } = MEMBERS[name] ?? {};
      const { account, token } = await this.#administration.createServiceAccount(owner, {
        ...{ name, role },
        teams: inTeam === null ? [] : [{ team: TEAM, role: inTeam }],
      });
      this.#ids.set(name, account.id);
      this.#issued.push({ token, account: name, bans: [] });
      for (const bans of [this.#banned.deactivate, this.#banned.lower]) bans.set(name, []);
    }
  }

  #join(name: string): void {
    const world = this.#world;
    const process = new Process(world, name);
    const link = new Link(this.#server);
    const leaseMs = world.pick([1_500, 2_500, 4_000]);
    const connection = new SimConnection(world, process, link, 400);
    const source = new RedisRegistrySource(connection, {
      keyPrefix: PREFIX,
      name,
      timing: process.timing,
    });
    let open: OpenCalls | null = null;
    const replica = new Replica({
      source,
      clock: process,
      timing: process.timing,
      instance: name,
      leaseMs,
      maxAccounts: world.pick([1, 10]),
      observer: {
        onApplied: (event) => open?.changed(event),
        onLoaded: () => open?.reloaded(),
        onLapsed: () => open?.lapsed(),
        judged: () => open?.judged ?? true,
        settled: () => open?.settled() ?? true,
        onLost: (why) => this.#say(`${name} drops everything: ${why}`),
        onRevived: (count) => this.#say(`${name} knows ${count} records better than the store`),
      },
    });
    const calls = new OpenCalls(replica, process, (nowMs) => replica.covers(nowMs));
    open = calls;
    void replica.start();
    this.#instances.push({ process, link, replica, calls, leaseMs });
  }

  /** What an instance with an admin listener does in the background. */
  async #keepMembers(): Promise<void> {
    const { process } = this.#admin;
    const keeper = new MemberKeeper(this.#store, process, () => {});
    while (this.#world.nowMs < HORIZON_MS) {
      await process.timing.sleep(KEEPER_MS, null);
      await keeper.look().catch((fault: unknown) => {
        if (!(fault instanceof RegistryUnavailable)) throw fault;
      });
    }
  }

  /** All that will happen, and when. */
  #plan(): void {
    const world = this.#world;
    const times = (count: number, run: () => void) => {
      for (let n = 0; n < count; n += 1) world.after(world.between(500, HORIZON_MS - 1_500), run);
    };
    times(10, () => this.#change());
    // In every other world, so that what was taken from everybody hides nothing that was taken from
    // one. What a failover can lose of it is worth more tries.
    if (world.chance(0.5)) times(this.#mode === 'loss' ? 8 : 4, () => this.#changePolicy());
    times(6, () => this.#disturb());
    if (this.#mode === 'failover' || this.#mode === 'loss')
      times(world.pick([1, 2]), () => this.#failOver());
    for (let atMs = 300; atMs < HORIZON_MS - 300; atMs += world.between(15, 60))
      world.after(atMs, () => this.#request());
  }

  // ── what goes wrong ──

  #disturb(): void {
    const world = this.#world;
    const instance = world.pick(this.#instances);
    const { process, link } = instance;
    const forMs = world.between(100, 5_000);
    const what = world.pick([
      'cut-there',
      'cut-back',
      'cut',
      'slow',
      'slow',
      'stop',
      'jump',
      'store-jump',
    ] as const);
    this.#say(`${process.name}: ${what} for ${forMs.toFixed(0)} ms`);
    switch (what) {
      case 'cut':
      case 'cut-there':
      case 'cut-back':
        link.cutThere ||= what !== 'cut-back';
        link.cutBack ||= what !== 'cut-there';
        world.after(forMs, () => link.heal());
        break;
      case 'slow':
        link.latencyMs = { least: 20, most: world.between(50, 390) };
        world.after(forMs, () => link.heal());
        break;
      case 'stop':
        process.stop(this.#mode === 'sleeps');
        world.after(forMs, () => process.resume());
        break;
      case 'jump':
        process.jumpWall(
          this.#mode === 'sleeps' ? world.between(0, 5_000) : world.between(-8_000, 5_000),
        );
        break;
      case 'store-jump':
        this.#server.clockAheadMs += world.between(-100_000, 100_000);
    }
  }

  /**
   * Each process hears of the new primary in its own time. Until then it talks to the old one,
   * which refuses writes, or to nobody.
   */
  #failOver(leastLost = 0): void {
    const world = this.#world;
    const old = this.#server;
    const lost = this.#mode === 'loss' ? Math.floor(world.between(leastLost, 9)) : 0;
    this.#server = old.successor(lost);
    this.#counts.failovers += 1;
    old.state = this.#mode === 'loss' || world.chance(0.3) ? 'dead' : 'isolated';
    this.#say(`another primary, without the last ${lost} writes; the old one is ${old.state}`);
    for (const { link } of [this.#admin, ...this.#instances]) {
      if (link.server !== old) continue;
      const delayMs =
        link === this.#admin.link
          ? world.between(0, 200)
          : world.between(10, world.chance(0.3) ? 6_000 : 500);
      world.after(delayMs, () => {
        link.server = this.#server;
      });
    }
  }

  // ── what administrators do ──

  /**
   * One change of an account at a time, so that what its receipt promises is plain. Those of
   * different accounts overlap as they like.
   */
  #change(): void {
    const account = this.#world.pick(ACCOUNTS);
    this.#inTurn(account, () => this.#changeOne(account));
  }

  /** What a role allows, and what a team owns: also one at a time. */
  #changePolicy(): void {
    const what = this.#world.pick([
      ...(['narrow', 'widen', 'widen', 'widen'] as const),
      ...(['take', 'give', 'take', 'give'] as const),
    ]);
    this.#inTurn(POLICY, () => this.#changeRoleOrTeam(what));
  }

  #inTurn(subject: string, run: () => Promise<void>): void {
    this.#changes.set(subject, (this.#changes.get(subject) ?? Promise.resolve()).then(run));
  }

  async #changeRoleOrTeam(what: 'narrow' | 'widen' | 'take' | 'give'): Promise<void> {
    const waitMs = Math.floor(this.#world.between(0, 4_000));
    const [admin, lifts] = [this.#administration, what === 'narrow' ? null : what];
    this.#say(what);
    if (lifts !== null) this.#lift(lifts, POLICY);
    const lifted = this.#lifted.get(`${what} ${POLICY}`);
    try {
      const { revocation } =
        what === 'narrow' || what === 'widen'
          ? await admin.editRole(owner, {
              ...{ name: READER.name, waitMs },
              permissions: what === 'widen' ? READER.permissions : [],
            })
          : await admin.editTeam(owner, {
              ...{ name: TEAM, waitMs },
              applications: what === 'take' ? [APPLICATION] : [],
            });
      if (what !== 'widen')
        this.#promised(revocation, (ban) => {
          if (this.#lifted.get(`${what} ${POLICY}`) === lifted)
            this.#banned[what].get(POLICY)!.push(ban);
        });
      if (this.#mode === 'loss' && revocation?.effective === true && this.#world.chance(0.5))
        this.#world.after(this.#world.between(0, 20), () => this.#failOver(5));
    } catch (fault) {
      if (!(fault instanceof AdminError)) throw fault;
      this.#say(`${what}: ${fault.message}`);
    }
    // Of what was unknown meanwhile nothing is promised.
    if (lifts !== null) this.#lift(lifts, POLICY);
  }

  async #changeOne(account: string): Promise<void> {
    const world = this.#world;
    const waitMs = Math.floor(world.between(0, 4_000));
    const drawn = world.pick([
      'rotate',
      'rotate',
      'rotate',
      'overlap',
      'close',
      'deactivate',
      'activate',
      'activate',
      'lower',
      'raise',
      'raise',
      // What a failover can lose of it is worth more tries.
      ...(this.#mode === 'loss' ? (['lower', 'lower', 'raise', 'raise'] as const) : []),
    ] as const);
    // What the default role of this one is, what the team owns has to show.
    const what = account === 'four' && /^(lower|raise)$/.test(drawn) ? 'rotate' : drawn;
    const ref = { name: account, waitMs };
    this.#say(`${what} ${account}`);
    try {
      if (what === 'rotate' || what === 'overlap')
        await this.#rotate(account, waitMs, what === 'overlap' ? 1_500 : 0);
      if (what === 'close') {
        const bound = this.#bannable(account, (index, all) => index < all.length - 1);
        this.#ban(bound, (await this.#administration.closeOverlap(owner, ref)).revocation);
      }
      if (what === 'deactivate' || what === 'lower') {
        const lifted = this.#lifted.get(`${what} ${account}`);
        const { revocation } = await (what === 'lower'
          ? this.#administration.editAccount(owner, { ...ref, role: 'none' })
          : this.#administration.deactivateAccount(owner, ref));
        this.#promised(revocation, (ban) => {
          if (this.#lifted.get(`${what} ${account}`) === lifted)
            this.#banned[what].get(account)!.push(ban);
        });
      }
      if (what === 'activate' || what === 'raise') {
        this.#lift(what, account);
        await (what === 'raise'
          ? this.#administration.editAccount(owner, { ...ref, role: READER.name })
          : this.#administration.activateAccount(owner, ref));
        // Whoever took it away meanwhile was first or last, and nobody can say: then nothing is
        // promised.
        this.#lift(what, account);
      }
    } catch (fault) {
      // The store did not answer: it is not known what became of the change, and nothing is
      // promised about it.
      if (!(fault instanceof AdminError)) throw fault;
      this.#say(`${what} ${account}: ${fault.message}`);
      if (what === 'activate' || what === 'raise') this.#lift(what, account);
    }
  }

  #lift(what: Lifting, account: string): void {
    const ban = LIFTED_BY[what];
    // Where a store has lost a lowering, the account is inactive, and who activates it takes that
    // back.
    if (what === 'activate' && this.#mode === 'loss') this.#lift('raise', account);
    this.#banned[ban].set(account, []);
    const key = `${ban} ${account}`;
    this.#lifted.set(key, (this.#lifted.get(key) ?? 0) + 1);
  }

  async #rotate(account: string, waitMs: number, overlapMs: number): Promise<void> {
    const before = this.#bannable(account, () => true);
    const { token, revocation } = await this.#administration.rotateToken(owner, {
      name: account,
      waitMs,
      overlapMs,
    });
    const untilMs = overlapMs === 0 ? null : this.#world.nowMs + overlapMs;
    this.#issued.push({ token, account, bans: [] });
    // With an overlap the last token lives on; those before it are revoked.
    const live = before.at(-1);
    this.#ban(untilMs === null ? before : before.filter((one) => one !== live), revocation);
  }

  /** Tokens of an account, as they stand when a change begins. */
  #bannable(
    account: string,
    which: (index: number, all: readonly Issued[]) => boolean,
  ): readonly Issued[] {
    return this.#issued
      .filter((one) => one.account === account)
      .filter((_, index, all) => which(index, all));
  }

  #ban(tokens: readonly Issued[], revocation: Revocation | undefined): void {
    this.#promised(revocation, (ban) => {
      // Only what is not live: two rotations at once may have come in either order.
      for (const one of tokens) if (!this.#mayBeLive(one)) one.bans.push(ban);
    });
  }

  /**
   * The store itself says which token is live: after a failover that may be one whose rotation was
   * lost.
   */
  #mayBeLive({ token, account }: Issued): boolean {
    const text = this.#server.command(['GET', KEYS.account(this.#ids.get(account)!)]) as
      | string
      | null;
    if (text === null) return false;
    const record = JSON.parse(text) as {
      token: { digest: string } | null;
      previous?: { digest: string } | null;
    };
    const digest = tokenDigest(token);
    return record.token?.digest === digest || record.previous?.digest === digest;
  }

  /** From a receipt to what it promises. */
  #promised(revocation: Revocation | undefined, ban: (ban: Ban) => void): void {
    if (revocation === undefined) return;
    const world = this.#world;
    const { effective, certainAt } = revocation;
    this.#say(`receipt: ${JSON.stringify(revocation)}`);
    if (effective) {
      this.#counts.effective += 1;
      ban({ sinceMs: world.nowMs, by: this.#mode === 'loss' ? this.#acknowledged() : null });
      this.#mayKeep();
    } else if (this.#mode !== 'loss') {
      this.#counts.uncertain += 1;
      const inMs = Date.parse(certainAt!) - this.#admin.process.wallMs();
      world.after(inMs, () => {
        ban({ sinceMs: world.nowMs, by: null });
        this.#mayKeep();
      });
    }
  }

  /**
   * Who has told the store that it has applied everything there is. A store that loses changes can
   * promise nothing about anybody else.
   */
  #acknowledged(): ReadonlySet<string> {
    const server = this.#server;
    const seq = Number(server.command(['HGET', KEYS.meta, 'seq']));
    const tip = server.command(['HGET', KEYS.meta, 'tip']);
    return new Set(
      this.#instances
        .map(({ process }) => process.name)
        .filter((name) => {
          const [applied, , at] = (
            (server.command(['GET', KEYS.ack(name)]) as string | null) ?? ''
          ).split(' ');
          return Number(applied) === seq && at === tip;
        }),
    );
  }

  // ── what callers do ──

  #request(): void {
    const instance = this.#world.pick(this.#instances);
    const known = this.#world.chance(0.9) ? this.#world.pick(this.#issued) : null;
    const id = this.#ids.get(known?.account ?? this.#world.pick(ACCOUNTS))!;
    const token = known?.token ?? newToken(this.#world.chance(0.5) ? id : 'Z'.repeat(12));
    const judge = () => {
      const accountId = token.slice(4, 16);
      if (!instance.replica.current) return this.#judged(instance, known, null);
      const lookup = instance.replica.lookup(accountId);
      if (!(lookup instanceof Promise))
        return this.#judged(instance, known, this.#proof(instance, token, lookup));
      void lookup.then((late) =>
        this.#judged(
          instance,
          known,
          instance.replica.current ? this.#proof(instance, token, late) : null,
        ),
      );
    };
    // A stopped process finds the request when it goes on, before anything else.
    this.#world.after(0, judge, instance.process);
  }

  /** Null: nobody knows now. */
  #proof({ process, replica }: Instance, token: string, lookup: Lookup): Verdict | null {
    if (lookup.found === 'unavailable') return null;
    const account = lookup.found === 'account' ? lookup.account : null;
    const digest = tokenDigest(token);
    const proven = prove(account, digest, process) === 'proven';
    const application = this.#world.chance(0.5) ? APPLICATION : null;
    const role =
      application === null
        ? account?.account.role
        : account?.effectiveRole(application, replica.ownerOf(application));
    const allowed = replica.roleAllows(role ?? 'none', 'api:read');
    return proven && allowed
      ? ({
          permitted: true,
          account,
          tokenId: tokenId(digest),
          application,
          demand: null,
          unsafe: false,
          route: ROUTE,
        } as Verdict)
      : 'refused';
  }

  #judged(instance: Instance, known: Issued | null, verdict: Verdict | null): void {
    if (verdict === null) this.#counts.unavailable += 1;
    else if (verdict === 'refused') this.#counts.refused += 1;
    else {
      this.#counts.accepted += 1;
      if (known === null) this.#fail(`${instance.process.name} let an unknown token in`);
      this.#mayServe(instance, known, verdict.application, 'let a token in');
      if (this.#world.chance(STREAMS)) this.#stream(instance, known, verdict);
    }
  }

  /** A call that stays open, whose upstream sends something every so often. */
  #stream(instance: Instance, known: Issued | null, permit: Permit): void {
    const { process, calls } = instance;
    const stream = { instance, known, application: permit.application };
    const call: OpenCall = {
      permit,
      origin: { address: '', certificate: null },
      head: null,
      place: -1,
      shutOut: () => void this.#streams.delete(stream),
    };
    this.#streams.add(stream);
    calls.add(call);
    const give = () => {
      // What a call does with every read.
      if (!this.#streams.has(stream)) return;
      if (!calls.covered()) {
        this.#streams.delete(stream);
        calls.remove(call);
        return;
      }
      this.#counts.streamed += 1;
      this.#mayServe(instance, known, permit.application, 'went on with an open call of a token');
      this.#world.after(this.#world.pick(GIVES_MS), give, process);
    };
    this.#world.after(this.#world.pick(GIVES_MS), give, process);
  }

  /**
   * What is open and gives nothing must have ended too. A process that is stopped ends it when it
   * goes on, and one that was asleep when it looks at its clock.
   */
  #mayKeep(): void {
    if (this.#mode === 'sleeps') return;
    for (const { instance, known, application } of this.#streams)
      if (!instance.process.stopped)
        this.#mayServe(instance, known, application, 'kept an open call of a token');
  }

  #mayServe(
    { process, leaseMs }: Instance,
    known: Issued | null,
    application: string | null,
    what: string,
  ): void {
    const account = known?.account ?? '';
    const bans = [
      ...(known?.bans ?? []),
      ...Object.values(this.#banned).flatMap((all) => all.get(account) ?? []),
      ...this.#banned.narrow.get(POLICY)!,
      ...(application !== null && account === 'three' ? this.#banned.take.get(POLICY)! : []),
      ...(application !== null && account === 'four' ? this.#banned.give.get(POLICY)! : []),
    ];
    const ban = bans.find(({ by }) => by === null || by.has(process.name));
    if (ban === undefined) return;
    this.#fail(
      `${process.name} (lease ${leaseMs} ms) ${what} of ${known?.account} that was revoked for certain at ${ban.sinceMs.toFixed(1)}`,
    );
  }

  #fail(what: string): void {
    this.#say(`VIOLATION: ${what}`);
    this.#violation ??= `at ${this.#world.nowMs.toFixed(1)} ms: ${what}`;
  }

  async #end(): Promise<void> {
    for (const { process, link, calls } of this.#instances) {
      process.resume();
      link.heal();
      // A gate ends its calls before it says goodbye.
      calls.lapsed();
    }
    const closing = Promise.all(this.#instances.map(({ replica }) => replica.close()));
    await this.#world.runUntil(HORIZON_MS + 10_000);
    await closing;
  }

  #say(line: string): void {
    if (this.#verbose) this.#log.push(`${this.#world.nowMs.toFixed(1).padStart(8)}  ${line}`);
  }
}

export async function runSeed(
  seed: number,
  { mode = MODES[seed % MODES.length]!, verbose = false }: { mode?: Mode; verbose?: boolean } = {},
): Promise<Outcome> {
  return { seed, mode, ...(await new Run(seed, mode, verbose).run()) };
}
