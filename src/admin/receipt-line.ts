import type { Revocation } from '../registry/receipts/receipt.ts';

/** Where a change is in force, in one sentence for people. */
export function receiptLine(revocation: Revocation): string {
  const { effective, instances, acknowledged, lapsed, slowestMs, certainAt, lost } = revocation;
  if (lost) return 'The store has made the change and lost it again in a failover: repeat it.';
  if (!effective) {
    const behind = instances - acknowledged - lapsed;
    const who =
      behind > 0
        ? `${behind} of ${gates(instances)} have not confirmed it yet`
        : 'too few replicas of the store have confirmed it';
    return `The change is made, but ${who}. It is certain at ${certainAt}${doubt(revocation)}.`;
  }
  if (instances === 0) return `No gate is running, so it is in force${doubt(revocation)}.`;
  const gone = lapsed === 0 ? '' : ` (${lapsed} of them no longer running)`;
  return `In force on ${instances === 1 ? 'the one running gate' : `all ${gates(instances)}`}${gone} after ${slowestMs} ms${doubt(revocation)}.`;
}

function gates(count: number): string {
  return `${count} running gates`;
}

/** What the word is worth depends on the store. */
function doubt({ assurance }: Revocation): string {
  return assurance === 'proven' ? '' : ', unless a failover of the store loses it';
}
