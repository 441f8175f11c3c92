import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { WarmKeeper } from '../../../src/registry/warm/keeper.ts';
import { type Holdings, readWarmSnapshot } from '../../../src/registry/warm/snapshot.ts';
import { account, idOf } from '../../contract/registry-records.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-warm-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = { epoch: 'e', seq: 5, tip: 't', tombstones: 0 };
const holding = (...numbers: number[]): Holdings => ({
  at,
  ids: numbers.map(idOf),
  account: (id) => account(Number(id.slice(1)), { version: 1 }),
  dropped: () => false,
});

function keeper(holdings: () => Holdings | null, faults: unknown[] = []): WarmKeeper {
  return new WarmKeeper({
    folder,
    program: 'p',
    clock: systemClock,
    holdings,
    onFault: (fault) => void faults.push(fault),
  });
}

async function kept(): Promise<readonly string[] | undefined> {
  const { snapshot } = await readWarmSnapshot({ folder, program: 'p', nowMs: Date.now() });
  return snapshot?.accounts.map(({ id }) => id);
}

describe('the keeper of the warm snapshot', () => {
  it('writes a last time when it is closed, after a writing that is still under way', async () => {
    let now = holding(1);
    const one = keeper(() => now);
    const underWay = one.save();
    now = holding(1, 2);
    await one.close();
    await underWay;
    expect(await kept()).toEqual([idOf(1), idOf(2)]);
  });

  it('leaves what is there when nothing is known at the end: no registry was to be had, or nobody called', async () => {
    await keeper(() => holding(1)).close();
    await keeper(() => null).close();
    await keeper(() => holding()).close();
    expect(await kept()).toEqual([idOf(1)]);
  });

  it('makes nothing where there is nothing to keep', async () => {
    await keeper(() => null).close();
    expect(existsSync(join(folder, 'warm.key'))).toBe(false);
  });

  it('reports that it could not write, and goes on', async () => {
    const faults: unknown[] = [];
    const one = keeper(() => holding(1), faults);
    rmSync(folder, { recursive: true });
    await one.save();
    expect(faults).toMatchObject([{ code: 'ENOENT' }]);
    await one.close();
    expect(faults).toHaveLength(2);
  });
});
