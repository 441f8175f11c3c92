import { expect, it } from 'vitest';
import { AuditGap, type AuditLog } from '../../../../src/audit/port.ts';
import { BoundedStore } from '../../../../src/audit/spool/bounded-store.ts';
import { StoreLink } from '../../../../src/audit/spool/store-link.ts';
import { batchOf } from '../../../support/audit-batch.ts';

const DAY_MS = 86_400_000;

/** A store that forgets all when it is told to, and a clock that the test turns. */
function link() {
  const time = { ms: Date.now() };
  const state = { last: 0, afterLoss: 0 };
  const store: AuditLog = {
    remembersMs: 7 * DAY_MS,
    async append({ firstSeq, count, afterLoss }) {
      if (afterLoss !== true && state.last + 1 < firstSeq) throw new AuditGap(state.last);
      if (afterLoss === true) state.afterLoss += 1;
      state.last = Math.max(state.last, firstSeq + count - 1);
    },
    async close() {},
  };
  const lost: string[] = [];
  const one = new StoreLink({
    store: new BoundedStore(store, 1000),
    instance: 'gate',
    clock: { wallMs: () => time.ms, monotonicMs: () => time.ms },
    folder: () => null,
    observer: { lost: ({ firstSeq, lastSeq }) => void lost.push(`${firstSeq}-${lastSeq}`) },
  });
  const send = (seq: number) =>
    one.send(batchOf('gate', seq, [{ event: `{"seq":${seq}}`, account: null }]));
  return { one, send, lost, state, time };
}

it('tells of all that the store has lost, however long nothing was sent', async () => {
  const { one, send, lost, state, time } = link();
  await send(1);
  for (let day = 0; day < 30; day += 1) {
    time.ms += DAY_MS;
    await one.compare();
  }
  state.last = 0;
  await one.compare();
  expect(lost).toEqual(['1-1']);
});

it('takes a number for forgotten that the store keeps no longer when it is reached again', async () => {
  const { one, send, lost, state, time } = link();
  await send(1);
  await send(2);
  time.ms += 8 * DAY_MS;
  state.last = 0;
  await one.compare();
  expect([lost, state]).toEqual([[], { last: 2, afterLoss: 1 }]);
  await send(3);
  expect(state.last).toBe(3);
});

it('tells of what it will never send without waiting for the next event', async () => {
  const { one, send, lost } = link();
  await send(1);
  await one.goPast(4);
  expect(lost).toEqual(['2-4']);
  await send(5);
  expect(lost).toEqual(['2-4']);
});
