import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ActivityPageQuery } from '../../../src/admin/activity-page.ts';
import { storeOwner } from '../../../src/admin/actor.ts';
import { csvLines } from '../../../src/admin/lists-csv.ts';
import { eventIn } from '../../../src/admin/story.ts';
import type { AccountView } from '../../../src/admin/views.ts';
import { csvRow } from '../../../src/audit/export/csv.ts';
import type { ScanPage } from '../../../src/audit/port.ts';
import type { Reason } from '../../../src/refusal.ts';
import { Random } from '../../fuzz/random.ts';
import {
  bossOf,
  openTrailBench,
  TRAIL_STORES,
  type TrailBench,
} from '../../support/trail-bench.ts';
import { route } from '../../unit/decision/samples.ts';

/** So few that the log of an account, which has the newest hundred, has all of them. */
const CASES = { start: 16, atRest: 25, writes: 24 } as const;
const ROUTES = ['deploy', 'read'].map((name) => route({ name, path: `/${name}` }));
const REASONS = ['permitted', 'permission-denied', 'rate-limited'] as const satisfies Reason[];
const ADDRESSES = ['10.1.2.3', '10.9.9.9', '192.0.2.7'];
const ada = storeOwner('ada', 'command-line');

type Query = Omit<ActivityPageQuery, 'cursor'>;

/**
 * Whatever the log of calls and changes is filtered by, and however it is cut into pages, it is
 * what the same rule says about an export of it, in the same order: at rest exactly, and while
 * more is recorded with all that was there at the question and nothing that was not there after the
 * answer.
 */
describe.each(TRAIL_STORES)('the log is what the same computed from an export is (%s)', (kind) => {
  let bench: TrailBench | null = null;
  let writer: Writer;

  beforeAll(async () => {
    bench = await openTrailBench(kind, ROUTES);
    if (bench === null) return;
    writer = new Writer(bench, new Random(20_261_129));
    await writer.begin();
    for (let n = 0; n < CASES.start; n += 1) await writer.next();
  });
  afterAll(() => bench?.close());

  it('at rest, and an export is the record with the changes', async (ctx) => {
    if (bench === null) return ctx.skip('redis-server is not here');
    const all = await exported(bench);
    expect(all.toSorted()).toEqual((await stored(bench)).toSorted());
    // What two gates have recorded in one moment of the store has no order.
    for (const events of Map.groupBy(all.map(saidIn), ({ instance }) => instance).values()) {
      const times = events.map(({ time }) => time!);
      expect(times).toEqual(times.toSorted().reverse());
    }
    for (let n = 0; n < CASES.atRest; n += 1) {
      const query = writer.query(all);
      const what = JSON.stringify(query);
      const expected = all.filter((line) => isAskedFor(line, query, writer.accounts));
      const listed = await pagesOf(bench, query);
      const ordered = isInOrder(query) ? listed : listed.toSorted();
      const rule = isInOrder(query) ? expected : expected.toSorted();
      expect(ordered, what).toEqual(rule);
      expect(csvLines('activity', ordered.map(eventIn)), what).toBe(rule.map(csvRow).join(''));
    }
  });

  it('while more is recorded', async (ctx) => {
    if (bench === null) return ctx.skip('redis-server is not here');
    const seen: { query: Query; before: readonly string[]; listed: readonly string[] }[] = [];
    let over = false;
    const writing = (async () => {
      for (let n = 0; n < CASES.writes; n += 1) await writer.next();
      over = true;
    })();
    while (!over) {
      const before = await exported(bench);
      const query = writer.query(before);
      seen.push({ query, before, listed: await pagesOf(bench, query) });
    }
    await writing;
    const after = await exported(bench);
    expect(seen.length).toBeGreaterThan(0);
    for (const { query, before, listed } of seen) {
      const what = JSON.stringify(query);
      const asked = (line: string) => isAskedFor(line, query, writer.accounts);
      const most = after.filter(asked);
      expect(new Set(listed).size, what).toBe(listed.length);
      expect(most, what).toEqual(expect.arrayContaining([...listed]));
      expect(listed, what).toEqual(expect.arrayContaining(before.filter(asked)));
      if (isInOrder(query)) {
        const there = new Set(listed);
        expect(listed, what).toEqual(most.filter((line) => there.has(line)));
      }
    }
  });
});

async function exported(bench: TrailBench): Promise<readonly string[]> {
  return pagesOf(bench, { account: null, everything: true, limit: 500 });
}

/** As the two stores have it, without administration. */
async function stored({ audit, store }: TrailBench): Promise<readonly string[]> {
  const lines: string[] = [];
  for (let after: string | null = null, isEnd = false; !isEnd; ) {
    const page: ScanPage = await audit.record.scan({ after, limit: 500 });
    lines.push(...page.events);
    after = page.next;
    isEnd = page.isEnd;
  }
  const changes = await store.changes({ account: null, before: null, limit: 10_000 });
  expect(changes.next).toBeNull();
  return [...lines, ...changes.items];
}

async function pagesOf({ admin }: TrailBench, query: Query): Promise<readonly string[]> {
  const lines: string[] = [];
  let cursor: string | null = null;
  do {
    const page: { readonly items: readonly string[]; readonly next: string | null } =
      await admin.activityPage(bossOf, { ...query, cursor });
    if (query.requestId === undefined) expect(page.items.length).toBeLessThanOrEqual(query.limit!);
    lines.push(...page.items);
    cursor = page.next;
  } while (cursor !== null);
  return lines;
}

/** Of one moment, one request is told as it ended, and one account as its own log has it. */
function isInOrder({ requestId, account, everything = false }: Query): boolean {
  return requestId === undefined && (account === null || everything);
}

interface Said {
  readonly [field: string]: unknown;
  readonly id?: string;
  readonly time?: string;
  readonly applications?: readonly string[];
  readonly status?: number;
  readonly clientAddress?: string;
  readonly actor?: { readonly id: string | null; readonly name: string };
}

function saidIn(line: string): Said {
  return JSON.parse(line) as Said;
}

/** The rule, in few words of its own. */
function isAskedFor(line: string, query: Query, accounts: readonly AccountView[]): boolean {
  const { account, since, until, status, address, actor, requestId } = query;
  const event = saidIn(line);
  const said: Said =
    event.schema === LATER
      ? { id: event.id!, time: event.time!, type: 'unreadable', phase: 'unreadable' }
      : event;
  const id = accounts.find((one) => one.id === account?.id || one.name === account?.name)?.id;
  const ids = [said.account, said.actor, said.target].map((one) => Object(one).id as unknown);
  const isHead = event.type === 'chain-head';
  const isShown =
    query.everything === true || query.phase !== undefined || query.type !== undefined;
  return [
    !isHead || isShown,
    account === null || ids.includes(id),
    since === undefined || said.time! >= since,
    until === undefined || said.time! < until,
    ...(['reason', 'phase', 'type', 'route', 'method', 'decision'] as const).map(
      (name) => query[name] === undefined || said[name] === query[name],
    ),
    query.application === undefined || said.application === query.application,
    status === undefined || isOfStatus(said.status, status),
    address === undefined || inNetwork(said.clientAddress, address),
    actor === undefined || said.actor?.name === actor || said.actor?.id === actor,
    requestId === undefined || said.requestId === requestId || said.id === requestId,
  ].every(Boolean);
}

function isOfStatus(told: number | undefined, asked: string): boolean {
  return asked.endsWith('xx')
    ? Math.floor((told ?? 0) / 100) === Number(asked[0])
    : told === Number(asked);
}

function inNetwork(address: string | undefined, asked: string): boolean {
  const [network = '', bits] = asked.split('/');
  if (bits === undefined) return address === network;
  return (
    address?.startsWith(
      network
        .split('.')
        .slice(0, Number(bits) / 8)
        .join('.'),
    ) === true
  );
}

/** A version of events that there is not yet. */
const LATER = 99;

/** Records calls and changes at random, and asks for them. */
class Writer {
  readonly accounts: AccountView[] = [];
  readonly #bench: TrailBench;
  readonly #random: Random;
  #made = 0;

  constructor(bench: TrailBench, random: Random) {
    this.#bench = bench;
    this.#random = random;
  }

  async begin(): Promise<void> {
    const { admin } = this.#bench;
    for (const name of ['ci', 'cd', 'ops'])
      this.accounts.push(
        (await admin.createServiceAccount(bossOf, { name, role: 'none' })).account,
      );
  }

  async next(): Promise<unknown> {
    this.#made += 1;
    const random = this.#random;
    const instance = random.pick(['gate-a', 'gate-b']);
    if (random.chance(0.7))
      return this.#bench.record(
        instance,
        Array.from({ length: 1 + random.below(4) }, () => this.#call()),
      );
    if (random.chance(0.3)) return this.#bench.append(instance, [this.#odd()]);
    const { admin } = this.#bench;
    const actor = random.pick([bossOf, ada]);
    const { id } = random.pick(this.accounts);
    return random.chance(0.5)
      ? admin.editAccount(actor, { id, description: `changed ${this.#made} times` })
      : admin.createRole(actor, { name: `role-${this.#made}`, permissions: ['a:b'] });
  }

  #call() {
    const random = this.#random;
    const reason = random.pick(REASONS);
    const status = { permitted: null, 'permission-denied': 403, 'rate-limited': 429 }[reason];
    return {
      id: `request-${this.#made}-${random.below(1e9)}`,
      timeMs: this.#bench.clock.wallMs(),
      account: random.chance(0.1) ? null : random.pick(this.accounts),
      ...{ reason, status },
      route: random.pick(ROUTES),
      application: random.pick(['CRM', 'Billing', null]),
      method: random.pick(['GET', 'POST']),
      clientAddress: random.pick(ADDRESSES),
    };
  }

  /** For the proof alone, or of a version that there is not yet. */
  #odd(): string {
    const time = new Date(this.#bench.clock.wallMs()).toISOString();
    const common = { id: `odd-${this.#made}`, time, instance: 'gate-a', seq: this.#made };
    const [key, signature, chain] = [16, 86, 43].map((length) => 'a'.repeat(length));
    return JSON.stringify(
      this.#random.chance(0.5)
        ? { ...common, type: 'chain-head', phase: 'chain', key, signature, chain }
        : { ...common, type: 'call', phase: 'decision', schema: LATER },
    );
  }

  query(lines: readonly string[]): Query {
    const random = this.#random;
    const one = () => saidIn(random.pick(lines));
    const some = <T extends object>(share: number, part: () => T) =>
      random.chance(share) ? part() : {};
    const whose = random.pick(this.accounts);
    const bounds = [one().time!, one().time!].toSorted();
    return {
      account: random.pick([null, null, { id: whose.id }, { name: whose.name }]),
      limit: 5 + random.below(40),
      ...some(0.3, () => ({ everything: true })),
      ...some(0.2, () => ({ phase: random.pick(['decision', 'outcome', 'change', 'chain']) })),
      ...some(0.15, () => ({ type: random.pick(['call', 'role-created', 'unreadable']) })),
      ...some(0.2, () => ({ reason: random.pick(REASONS) })),
      ...some(0.15, () => ({ route: random.pick(['deploy', 'read', 'none']) })),
      ...some(0.15, () => ({ application: random.pick(['CRM', 'Billing']) })),
      ...some(0.15, () => ({ method: random.pick(['GET', 'POST']) })),
      ...some(0.15, () => ({ decision: random.pick(['permit', 'refusal']) })),
      ...some(0.15, () => ({ status: random.pick(['403', '4xx', '200', '5xx']) })),
      ...some(0.15, () => ({ address: random.pick([...ADDRESSES, '10.0.0.0/8', '192.0.2.0/24']) })),
      ...some(0.15, () => ({ actor: random.pick(['tester', 'ada']) })),
      ...some(0.2, () => ({ since: bounds[0]! })),
      ...some(0.2, () => ({ until: bounds[1]! })),
      ...some(0.1, () => ({ requestId: String(one().requestId ?? one().id) })),
    };
  }
}
