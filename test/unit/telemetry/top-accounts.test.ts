import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { aggregatedText, snapshotOf } from '../../../src/telemetry/aggregate.ts';
import { createTopAccounts } from '../../../src/telemetry/top-accounts.ts';

function stage() {
  const registry = new Registry();
  let nowMs = 0;
  const accounts = createTopAccounts(registry, () => nowMs);
  return {
    accounts,
    calls(account: string, times: number) {
      for (let i = 0; i < times; i += 1) accounts.count(account);
    },
    pass(ms: number) {
      nowMs += ms;
    },
    shown: async () => shownIn(await registry.metrics()),
    registry,
  };
}

function shownIn(text: string): Readonly<Record<string, number>> {
  const lines = text.matchAll(/^sallyport_top_account_requests\{account="(\S+)"\} (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, name, count]) => [name, Number(count)]));
}

it('names the busiest of the last full minute, and sums up the others', async () => {
  const { accounts, calls, pass, shown } = stage();
  accounts.show(2);
  calls('ci', 30);
  calls('nightly', 20);
  calls('rare', 1);
  expect(await shown(), 'no minute is full').toEqual({ other: 0 });
  pass(60_000);
  expect(await shown()).toEqual({ ci: 30, nightly: 20, other: 1 });
  calls('rare', 5);
  pass(60_000);
  expect(await shown()).toEqual({ rare: 5, other: 0 });
  pass(120_000);
  expect(await shown(), 'of a minute without calls').toEqual({ other: 0 });
});

it('finds the busiest among any number of others, and says no figure that is too high', async () => {
  const { accounts, calls, pass, shown } = stage();
  accounts.show(3);
  for (let i = 0; i < 5000; i += 1) {
    calls(`crowd-${i}`, 1);
    if (i % 10 === 0) calls('ci', 2);
    if (i % 20 === 0) calls('nightly', 3);
  }
  pass(60_000);
  const all = await shown();
  expect(Object.keys(all)).toHaveLength(4);
  expect(all.ci).toBeGreaterThan(900);
  expect(all.ci).toBeLessThanOrEqual(1000);
  expect(all.nightly).toBeGreaterThan(600);
  expect(all.nightly).toBeLessThanOrEqual(750);
  expect(Object.values(all).reduce((sum, count) => sum + count, 0)).toBe(6750);
});

it('counts an account of the name `other` among the others', async () => {
  const { accounts, calls, pass, shown } = stage();
  accounts.show(1);
  calls('other', 9);
  calls('ci', 2);
  pass(60_000);
  expect(await shown()).toEqual({ ci: 2, other: 9 });
});

it('names no more for several processes together than for each', async () => {
  const processes = [stage(), stage()];
  for (const [index, { accounts, calls, pass }] of processes.entries()) {
    accounts.show(2);
    calls('ci', 10);
    calls(`nightly-${index}`, 5 + index);
    calls('rare', 1);
    pass(60_000);
  }
  const snapshots = await Promise.all(processes.map(({ registry }) => snapshotOf(registry)));
  const text = await aggregatedText(snapshots);
  expect(shownIn(text)).toEqual({ ci: 20, 'nightly-1': 6, other: 7 });
});

it('names nobody unless it is told to', async () => {
  const { accounts, calls, pass, shown } = stage();
  calls('ci', 9);
  pass(60_000);
  expect(await shown()).toEqual({});
  accounts.show(1);
  calls('ci', 9);
  pass(60_000);
  accounts.show(0);
  expect(await shown()).toEqual({});
});
