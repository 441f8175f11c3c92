import { createHash } from 'node:crypto';
import { turn } from '../../turns.ts';
import { UsageMerger } from './merge.ts';
import { KEPT, type Subject, type UsageTable } from './table.ts';
import { decodeTable, encodeTable } from './text.ts';

/**
 * Minutes that are kept put together, some 10 KiB each: of two hours and all subjects. Of an hour
 * that was made the store has them so.
 */
const MINUTES_MAX = 360;

/**
 * Minutes of several instances as they were put together, by what they were made of: a minute to
 * which something was written since is another one. In the order of their last use.
 */
const kept = new Map<string, string>();

/**
 * One minute of all instances. Reading a table takes a millisecond, and many instances write many:
 * who asks again has them from before. Each table is read in a turn of its own. Null: none of them
 * can be read.
 */
export async function mergedMinute(
  of: Subject,
  texts: readonly string[],
): Promise<UsageTable | null> {
  await turn();
  const [only] = texts;
  if (texts.length === 1 && only !== undefined) return decodeTable(only);
  const key = keyOf(of, texts);
  const known = kept.get(key);
  if (known === undefined) return mergedAnew(of, texts, key);
  keep(key, known);
  return decodeTable(known);
}

async function mergedAnew(
  of: Subject,
  texts: readonly string[],
  key: string,
): Promise<UsageTable | null> {
  const merger = new UsageMerger(KEPT[of]);
  let read = 0;
  for (const text of texts) {
    await turn();
    const table = decodeTable(text);
    if (table === null) continue;
    merger.add(table);
    read += 1;
  }
  if (read === 0) return null;
  const table = merger.table();
  keep(key, await encodeTable(table));
  return table;
}

function keyOf(of: Subject, texts: readonly string[]): string {
  const hash = createHash('sha256').update(of);
  for (const text of [...texts].sort()) hash.update(' ').update(text);
  return hash.digest('base64');
}

function keep(key: string, text: string): void {
  kept.delete(key);
  kept.set(key, text);
  const [oldest] = kept.keys();
  if (kept.size > MINUTES_MAX) kept.delete(oldest!);
}
