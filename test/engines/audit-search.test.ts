import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ActivityPageQuery } from '../../src/admin/activity-page.ts';
import { storeOwner } from '../../src/admin/actor.ts';
import { type Control, createControl } from '../../src/admin/control.ts';
import { CallEvents } from '../../src/audit/event/call-event.ts';
import { createRedisAuditLog } from '../../src/audit/log/redis/log.ts';
import { partitionOf } from '../../src/audit/partitions.ts';
import { systemClock } from '../../src/clock.ts';
import { parseConfig } from '../../src/config/load.ts';
import { batchOf } from '../support/audit-batch.ts';
import { DECISION, decisionLine, OUTCOME, outcomeLine } from '../support/call-events.ts';
import { REDIS_PLACES, type RedisPlace } from '../support/redis-places.ts';
import { redisMissing } from '../support/redis-server.ts';
import { openWithRegistry } from '../support/registry.ts';
import { Shell } from '../support/shell.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const missing = redisMissing();
const ACCOUNTS = ['accountAAA01', 'accountBBB02', 'accountCCC03'];
const ROUTES = ['deploy', 'read'];
const owner = storeOwner('tester', 'command-line');

describe('looking into a record that is spread over a cluster', () => {
  let place: RedisPlace;
  let shell: Shell;
  let control: Control;
  let stop: () => Promise<void> = async () => {};

  beforeAll(async () => {
    if (missing !== null) return;
    place = await REDIS_PLACES['a cluster']();
    shell = new Shell();
    const text = JSON.stringify({ store: place.config });
    shell.write('manage.yaml', text);
    const stores = await openWithRegistry(parseConfig(text, 'manage.yaml').config);
    control = createControl({ ...stores, clock: systemClock, instance: null, routes: () => null });
    stop = () => stores.close();
  });
  beforeEach((context) => {
    if (missing !== null) context.skip(missing);
  });
  afterAll(async () => {
    await stop();
    shell?.close();
    await place?.stop();
  });

  interface Written {
    readonly id: string;
    readonly account: string;
    readonly route: string;
  }

  /** A gate: decisions and outcomes of calls, each batch in one command. */
  function gate(instance: string) {
    const connection = place.connect(instance, 15_000);
    const log = createRedisAuditLog({
      connection,
      prefix: 'sallyport',
      clock: systemClock,
      retention: { days: 1, maxBytes: 0 },
      activityPerAccount: 100_000,
      projection: { activityLost: (count) => expect(count).toBe(0) },
    });
    const events = new CallEvents(instance);
    const written: Written[] = [];
    let seq = 1;
    return {
      written,
      log,
      async write(calls: number): Promise<void> {
        const first = seq;
        const some: Written[] = [];
        const entries = Array.from({ length: calls }, (_, n) => {
          const id = `${instance}-${first + n}`;
          const call = { id, account: ACCOUNTS[n % 3]!, route: ROUTES[n % 2]! };
          some.push(call);
          const facts = {
            id,
            timeMs: Date.now(),
            account: { id: call.account, name: call.account, kind: 'service' as const },
            route: { ...DECISION.route!, name: call.route },
          };
          const lines = [
            decisionLine(events, seq, { ...DECISION, ...facts }),
            outcomeLine(events, seq + 1, { ...OUTCOME, ...facts, status: n % 5 === 0 ? 404 : 200 }),
          ];
          seq += 2;
          return lines.map((event) => ({ event: event.trim(), account: call.account }));
        });
        await log.append(batchOf(instance, first, entries.flat()));
        written.push(...some);
      },
      async close(): Promise<void> {
        await log.close();
        connection.close();
      },
    };
  }

  /** All pages, one after the other. */
  async function pagesOf(query: ActivityPageQuery): Promise<readonly string[]> {
    const items: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { readonly items: readonly string[]; readonly next: string | null } =
        await control.administration.activityPage(owner, { ...query, cursor });
      items.push(...page.items);
      cursor = page.next;
    } while (cursor !== null);
    return items;
  }

  const idsOf = (lines: readonly string[]) =>
    lines.map((line) => (JSON.parse(line) as { id: string }).id);

  it('gives pages without repeats and skips, by filter and by account, while events come', async () => {
    const gates = ['edge-a.1', 'edge-b.2', 'edge-c.3', 'edge-d.4'].map(gate);
    // They are spread over streams, and these over servers.
    expect(
      new Set(['edge-a.1', 'edge-b.2', 'edge-c.3', 'edge-d.4'].map(partitionOf)).size,
    ).toBeGreaterThan(1);
    for (let n = 0; n < 5; n += 1) for (const one of gates) await one.write(30);
    await vi.waitFor(() => expect(gates.map(({ log }) => log.activityLagMs)).toEqual([0, 0, 0, 0]));
    const before = gates.flatMap(({ written }) => [...written]);
    let over = false;
    const writing = gates.map(async (one) => {
      while (!over) {
        await one.write(6);
        await sleep(10);
      }
    });
    const decisions = { phase: 'decision', limit: 37 } as const;
    const byRoute = idsOf(await pagesOf({ account: null, route: 'deploy', ...decisions }));
    const byStatus = idsOf(await pagesOf({ account: null, status: '4xx', limit: 37 }));
    const byAccount = idsOf(await pagesOf({ account: { id: ACCOUNTS[1]! }, ...decisions }));
    const all = idsOf(
      await pagesOf({ account: { id: ACCOUNTS[2]! }, everything: true, ...decisions }),
    );
    over = true;
    await Promise.all(writing);
    const written = gates.flatMap((one) => one.written);
    const expectWhole = (found: readonly string[], belongs: (call: Written) => boolean) => {
      expect(new Set(found).size).toBe(found.length);
      const wanted = before.filter(belongs).map(({ id }) => id);
      expect(wanted.length).toBeGreaterThan(50);
      expect(wanted.filter((id) => !found.includes(id))).toEqual([]);
      const known = new Set(written.filter(belongs).map(({ id }) => id));
      expect(found.filter((id) => !known.has(id))).toEqual([]);
    };
    expectWhole(byRoute, ({ route }) => route === 'deploy');
    expectWhole(byAccount, ({ account }) => account === ACCOUNTS[1]);
    expectWhole(all, ({ account }) => account === ACCOUNTS[2]);
    expect(new Set(byStatus).size).toBe(byStatus.length);
    expect(byStatus.length).toBeGreaterThanOrEqual(before.length / 5);
    for (const one of gates) await one.close();
  });

  it('finds both events of any request while events come, also by audit show', async () => {
    const one = gate('edge-e.5');
    await one.write(200);
    const wanted = [one.written[0]!.id, one.written[99]!.id, one.written.at(-1)!.id];
    let over = false;
    const writing = (async () => {
      while (!over) {
        await one.write(20);
        await sleep(10);
      }
    })();
    for (const requestId of wanted) {
      const lines = await pagesOf({ account: null, requestId, limit: 500 });
      expect(lines.map((line) => (JSON.parse(line) as { phase: string }).phase)).toEqual([
        'outcome',
        'decision',
      ]);
      expect(new Set(idsOf(lines))).toEqual(new Set([requestId]));
    }
    const shown = await shell.run('audit', 'show', wanted[1]!, '--config', 'manage.yaml', '--json');
    over = true;
    await writing;
    await one.close();
    expect(shown).toMatchObject({ code: 0, err: '' });
    const { events } = JSON.parse(shown.out) as { events: readonly { phase: string }[] };
    expect(events.map(({ phase }) => phase)).toEqual(['decision', 'outcome']);
  });

  it('makes activity logs anew by audit reindex', async () => {
    const connection = place.connect('test', 15_000);
    const account = ACCOUNTS[0]!;
    const key = `sallyport:activity:${account}`;
    const recorded = idsOf(
      await pagesOf({ account: { id: account }, everything: true, limit: 500 }),
    );
    await connection.call('DEL', key);
    const words = ['audit', 'reindex', '--account-id', account, '--config', 'manage.yaml'];
    const said = await shell.run(...words);
    expect(said).toEqual({
      code: 0,
      err: '',
      out: `The activity log of 1 account was rebuilt from ${recorded.length} events.\n`,
    });
    expect(Number(await connection.call('XLEN', key))).toBe(recorded.length);
    connection.close();
  });
});
