/**
 * `npm run prove -- chain [PAIRS]`: what the chain costs the event loop. Two outboxes take the same
 * varied events, one with a chain and one without, in turn; told is the processor time of one event
 * by the number of events that an append takes.
 */
import { setImmediate as loopTurn } from 'node:timers/promises';
import { NO_CHAIN } from '../../src/audit/chain/hash.ts';
import { CallEvents } from '../../src/audit/event/call-event.ts';
import { type BatchingOutbox, createOutbox } from '../../src/audit/outbox/outbox.ts';
import { systemClock } from '../../src/clock.ts';
import { DECISION, decisionLine, OUTCOME, outcomeLine } from '../support/call-events.ts';
import { quantile } from '../support/quantile.ts';

const pairs = Number(process.argv[2] ?? 40);
const EVENTS = 20_000;
const NOBODY = { accepted() {}, notAccepted() {} };
const calls = new CallEvents('edge-a.k2J9x');
/** Decisions and outcomes of varied calls, as long as they are in a real record. */
const lines = Array.from({ length: 4_000 }, (_, n) =>
  n % 2 === 0
    ? decisionLine(calls, n, { ...DECISION, id: `abcdefghijkl-${n}`, path: `/orders/${n}/items` })
    : outcomeLine(calls, n, { ...OUTCOME, id: `abcdefghijkl-${n}`, durationMs: n / 7 }),
);

console.log('| events of an append | without | with | the chain (µs an event) |');
console.log('| --- | --- | --- | --- |');
for (const batchEvents of [1, 3, 8, 64]) {
  const without: number[] = [];
  const withChain: number[] = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    const order = pair % 2 === 0 ? [false, true] : [true, false];
    for (const chained of order)
      (chained ? withChain : without).push(await cost(chained, batchEvents));
  }
  const more = withChain.map((us, index) => us - without[index]!);
  const cells = [without, withChain, more].map((us) => `${quantile(us, 0.5).toFixed(2)}`);
  const spread = `[${quantile(more, 0.25).toFixed(2)}, ${quantile(more, 0.75).toFixed(2)}]`;
  console.log(`| ${batchEvents} | ${cells.join(' | ')} ${spread} |`);
}

/** Processor time of one event, in microseconds. */
async function cost(chained: boolean, batchEvents: number): Promise<number> {
  const outbox = outboxOf(chained, batchEvents);
  const began = process.cpuUsage();
  for (let n = 0; n < EVENTS; n += batchEvents) {
    for (let one = 0; one < batchEvents; one += 1)
      outbox.record(() => lines[(n + one) % lines.length]!, null, NOBODY);
    while (outbox.pending > 0) await loopTurn();
  }
  const { user, system } = process.cpuUsage(began);
  await outbox.close(1000);
  return (user + system) / EVENTS;
}

function outboxOf(chained: boolean, batchEvents: number): BatchingOutbox {
  return createOutbox({
    log: { append: async () => {}, close: async () => {} },
    instance: 'edge-a.k2J9x',
    clock: systemClock,
    probe: false,
    limits: { batchEvents },
    ...(chained ? { chain: NO_CHAIN } : {}),
    observer: { accepted() {}, lost() {}, unrecorded() {}, resent() {}, health() {}, fault() {} },
  });
}
