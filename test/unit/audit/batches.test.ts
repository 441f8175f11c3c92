import { expect, it } from 'vitest';
import { Batches, writeMade } from '../../../src/audit/outbox/batches.ts';
import { OpenPermits } from '../../../src/audit/permits/open-permits.ts';
import { entriesOf } from '../../support/audit-batch.ts';

const LIMITS = { batchEvents: 3, batchBytes: 1000 };

function batches(chain?: string) {
  const clock = { wallMs: () => 0, monotonicMs: () => 5 };
  const made = new Batches('unit', clock, LIMITS, new OpenPermits(), chain);
  const add = (name = 'x') =>
    made.append(writeMade, (seq: number) => `{"seq":${seq},"name":"${name}"}`, null);
  return { made, add };
}

const eventsOf = (made: Batches, batch: Parameters<Batches['toSend']>[0]) =>
  entriesOf(made.toSend(batch)).map(({ event }) => JSON.parse(event) as Record<string, unknown>);

it('numbers events through all batches, each of which takes so many', () => {
  const { made, add } = batches();
  const taken = Array.from({ length: 7 }, () => add());
  expect(made.count).toBe(3);
  expect(made.events).toBe(7);
  expect([...new Set(taken)].map(({ firstSeq, lines }) => [firstSeq, lines.count])).toEqual([
    [1, 3],
    [4, 3],
    [7, 1],
  ]);
});

it('takes no more into a batch of so many bytes', () => {
  const { made, add } = batches();
  add('y'.repeat(LIMITS.batchBytes));
  add();
  expect(made.count).toBe(2);
});

it('adds nothing to what was sent, and sends the same again', () => {
  const { made, add } = batches();
  const first = add('a');
  const sent = made.toSend(first);
  const bytes = sent.lines.toString();
  add('b');
  expect(made.toSend(first)).toBe(sent);
  expect(sent.lines.toString()).toBe(bytes);
  expect(made.count).toBe(2);
});

it('leaves no hole where an event could not be written', () => {
  const { made, add } = batches();
  add();
  const broken = () => {
    throw new Error('a fault of ours');
  };
  expect(() => made.append(broken, null, null)).toThrow('a fault of ours');
  const batch = add();
  expect(eventsOf(made, batch).map(({ seq }) => seq)).toEqual([1, 2]);
  expect(made.events).toBe(2);
});

it('counts what it holds until the log has it, or nobody ever will', () => {
  const { made, add } = batches();
  const first = add();
  const bytes = made.bytes;
  expect(bytes).toBe(first.lines.size);
  made.toSend(first);
  add();
  expect(made.accepted(first, false)).toBe(1);
  expect([made.events, made.bytes, made.count]).toEqual([1, bytes, 1]);
  expect(made.abandon()).toBe(1);
  expect([made.events, made.bytes, made.count]).toEqual([0, 0, 0]);
});

it('writes into the memory of a batch again only where nobody reads it', () => {
  const { made, add } = batches();
  const read = add('read');
  const kept = made.toSend(read).lines;
  made.accepted(read, true);
  const again = add('again');
  expect(again.lines).not.toBe(read.lines);
  expect(kept.toString()).toContain('read');
  made.toSend(again);
  made.accepted(again, false);
  expect(add().lines).toBe(again.lines);
});

it('carries the chain with its first event, and with a link of its own batch', () => {
  const begin = 'B'.repeat(43);
  const { made, add } = batches(begin);
  const first = add();
  add();
  const link = made.appendLink((seq, chain) => `{"seq":${seq},"link":"${chain}"}`);
  expect(eventsOf(made, first).map(({ chain }) => chain)).toEqual([begin, undefined]);
  const [event] = eventsOf(made, link);
  expect(event).toMatchObject({ seq: 3, link: expect.stringMatching(/^[\w-]{43}$/) });
  expect(event!.link).not.toBe(begin);
  expect(made.unsigned).toBe(0);
});

it('says soon after when so many events have come without a link', async () => {
  const { made, add } = batches('B'.repeat(43));
  const called = Promise.withResolvers<void>();
  made.onUnsigned(3, called.resolve);
  for (let event = 0; event < 4; event += 1) add();
  await called.promise;
  expect(made.unsigned).toBe(4);
});
