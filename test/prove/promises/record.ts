import { frozen, killed } from '../../support/truth/scenes.ts';
import { liesOf, type Run } from '../../support/truth/truth.ts';
import type { Finding } from '../promises.ts';

/** How long Redis stands still, and how often a gate is ended without a word in each way. */
const FROZEN_MS = Number(process.env.RECORD_FROZEN_MS ?? 40_000);
const ENDS = Number(process.env.RECORD_ENDS ?? 10);
/** Together about 900 calls a second on two cores. */
const CALLERS = 64;
const WAYS = [
  ['kill -9', 'Redis', ['SIGKILL']],
  ['two SIGTERM', 'Redis', ['SIGTERM', 'SIGTERM']],
  ['kill -9', 'the embedded store', ['SIGKILL']],
  ['two SIGTERM', 'the embedded store', ['SIGTERM', 'SIGTERM']],
] as const;

/** What clients, upstream, record and metrics say of the same runs (`RECORD_…` make it shorter). */
export async function prove(): Promise<readonly Finding[]> {
  return [await whileFrozen(), await afterEnds()];
}

const unknownOf = ({ events }: Run) =>
  events.filter(({ reason }) => reason === 'outcome-unknown').length;

async function whileFrozen(): Promise<Finding> {
  const run = await frozen(CALLERS, FROZEN_MS);
  const lies = told(run);
  const late = run.events.filter(({ reason }) => reason === 'audit-unavailable').length;
  return {
    promise: 'the pair of events tells what the caller got; unrecorded answers are counted',
    kept: lies === 0 && late > 0 && (run.unrecorded ?? 0) > 0,
    figures: `Redis stood still for ${FROZEN_MS / 1000} s: of ${run.calls.length} calls ${late} recorded as too late, ${run.unrecorded} unrecorded and counted; ${lies} contradictions`,
  };
}

async function afterEnds(): Promise<Finding> {
  let [lies, calls, closed, ends] = [0, 0, 0, 0];
  for (let time = 0; time < ENDS; time += 1)
    for (const [how, store, signals] of WAYS) {
      const { run } = await killed(store, signals);
      const closedNow = unknownOf(run);
      console.log(`${how}, ${store}: ${run.calls.length} calls, ${closedNow} closed as unknown`);
      lies += told(run) + (closedNow === 0 ? 1 : 0);
      calls += run.calls.length;
      closed += closedNow;
      ends += 1;
    }
  return {
    promise: 'what a gate leaves open that ends without a word is closed, once',
    kept: lies === 0,
    figures: `${ends} gates ended by kill -9 or two SIGTERM under load, on Redis and the embedded store: ${calls} calls, ${closed} closed as outcome-unknown; ${lies} contradictions`,
  };
}

function told(run: Run): number {
  const lies = liesOf(run);
  for (const lie of lies.slice(0, 50)) console.log(lie);
  return lies.length;
}
