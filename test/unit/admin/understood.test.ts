import { expect, it, vi } from 'vitest';
import { writing } from '../../../src/admin/change.ts';
import type { Commit } from '../../../src/registry/commit.ts';
import type { RegistryStore } from '../../../src/registry/port.ts';
import { account } from '../account/samples.ts';

/** A store with one gate that knows records up to a schema. */
function storeWith(schema: number) {
  const instances = vi.fn(async () => ({ items: [{ instance: 'gate-a-1', schema }] }));
  const commit = vi.fn(async () => ({ committed: true }));
  return { instances, commit, store: { instances, commit } as unknown as RegistryStore };
}

function commitOf(changes: object): Commit {
  const record = account(changes);
  const change = { kind: 'account', key: record.id, record } as const;
  return { changes: [change] } as unknown as Commit;
}

const NARROW = { allowedNetworks: ['10.0.0.0/8'] };

it('writes no record that a gate which runs could not read, and names that gate', async () => {
  const { store, commit } = storeWith(1);
  await expect(writing({ store }, commitOf(NARROW))).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('upgrade gate-a-1 first'),
  });
  expect(commit).not.toHaveBeenCalled();
});

it('names those accounts of many that a gate could not read, five at most', async () => {
  const changes = Array.from({ length: 8 }, (_, n) => {
    const record = account({ name: `one-${n}`, ...(n === 0 ? {} : NARROW) });
    return { kind: 'account', key: record.id, record } as const;
  });
  const commit = { changes } as unknown as Commit;
  await expect(writing({ store: storeWith(1).store }, commit)).rejects.toThrow(
    'could not read one-1, one-2, one-3, one-4, one-5 and 2 more, and would',
  );
});

it('writes it when every gate can read it, and asks for nothing where each can', async () => {
  const present = storeWith(2);
  await writing({ store: present.store }, commitOf(NARROW));
  expect(present.commit).toHaveBeenCalledOnce();
  const earlier = storeWith(1);
  await writing({ store: earlier.store }, commitOf({}));
  expect(earlier.commit).toHaveBeenCalledOnce();
  expect(earlier.instances).not.toHaveBeenCalled();
});
