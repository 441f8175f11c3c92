import { expect, it } from 'vitest';
import { LogInstance, makeLogKey } from '../../../support/chained-log.ts';
import { verify } from './judge.ts';

const KEY = makeLogKey();

/** An instance of whose first events so many are in no log. */
function logWithout(count: number, said: { firstSeq: number; lastSeq: number } | null) {
  let ms = Date.UTC(2030, 0, 1);
  const now = () => {
    ms += 10;
    return new Date(ms).toISOString();
  };
  const instance = new LogInstance('gate-a.1', KEY, null, now);
  for (let i = 0; i < 40; i += 1) instance.call(i % 7 === 0);
  if (said !== null) {
    const known = { type: 'events-lost', phase: 'chain', reason: 'failover' };
    instance.other({ ...known, ...said, count: said.lastSeq - said.firstSeq + 1 });
  }
  for (let i = 0; i < 10; i += 1) instance.call(i === 0);
  instance.sign('instance-ended');
  const keys = new Map([[KEY.id, KEY.publicKey]]);
  const beside = { keys, heads: [instance.head!], anchors: [] };
  return verify({ lines: instance.lines.slice(count), beside }).map(
    ({ kind, firstSeq, lastSeq }) => `${kind} ${firstSeq}-${lastSeq}`,
  );
}

it('names the first events of an instance as lost, where it says so itself', () => {
  expect(logWithout(20, { firstSeq: 1, lastSeq: 20 })).toEqual(['lost 1-20']);
});

it('does not take what is missing beside them for lost', () => {
  expect(logWithout(20, { firstSeq: 1, lastSeq: 15 })).toEqual([
    'lost 1-15',
    'anchor-missing 16-20',
  ]);
  expect(logWithout(20, null)).toEqual(['anchor-missing 1-20']);
});
