import type { EventBatch } from '../batch.ts';
import type { PermitNotes } from '../permits/notes.ts';

/** The number of a batch's last event. */
export function lastSeqOf({ firstSeq, count }: Pick<EventBatch, 'firstSeq' | 'count'>): number {
  return firstSeq + count - 1;
}

/** Batches of one instance that follow on each other, as one. */
export function merged(batches: readonly EventBatch[]): EventBatch {
  const [first] = batches;
  if (first === undefined) throw new RangeError('there is nothing to merge');
  if (batches.length === 1) return first;
  const accounts: string[] = [];
  const numbers = new Map<string, number>();
  const marks = batches.map((batch) => renumbered(batch, accounts, numbers));
  return {
    instance: first.instance,
    firstSeq: first.firstSeq,
    count: batches.reduce((sum, { count }) => sum + count, 0),
    lines: Buffer.concat(batches.map(({ lines }) => lines)),
    accounts,
    marks: Buffer.concat(marks),
    notes: mergedNotes(batches.flatMap(({ notes }) => notes ?? [])),
  };
}

function renumbered(
  { count, accounts, marks }: EventBatch,
  all: string[],
  numbers: Map<string, number>,
): Buffer {
  const places = accounts.map((account) => {
    const known = numbers.get(account) ?? all.push(account);
    numbers.set(account, known);
    return known;
  });
  const result = Buffer.alloc(2 * count);
  for (let at = 0; at < count; at += 1) {
    const number = marks.readUInt16BE(2 * at);
    if (number > 0) result.writeUInt16BE(places[number - 1] ?? 0, 2 * at);
  }
  return result;
}

/** What is noted anew takes the place of all before. */
function mergedNotes(notes: readonly PermitNotes[]): PermitNotes {
  const from = Math.max(
    0,
    notes.findLastIndex(({ anew }) => anew),
  );
  return {
    anew: notes.some(({ anew }) => anew),
    text: notes
      .slice(from)
      .map(({ text }) => text)
      .join(''),
  };
}
