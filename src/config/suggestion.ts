import type { ConfigPath } from './faults.ts';
import { type JsonSchema, jsonSchema, nodesAt } from './json-schema.ts';

let schema: JsonSchema | null = null;

/** The key that was probably meant, or null. `path` is that of the unknown key. */
export function suggestKey(path: ConfigPath): string | null {
  const written = String(path.at(-1));
  schema ??= jsonSchema();
  const known = nodesAt(schema, path.slice(0, -1)).flatMap((node) =>
    Object.keys(node.properties ?? {}),
  );
  return nearest(written, known);
}

/** The word at the smallest edit distance, if it is small for the word's length. */
export function nearest(written: string, known: readonly string[]): string | null {
  const limit = Math.max(1, Math.floor(written.length / 3));
  if (written.length > 64) return null;
  const ranked = known
    .map((word) => ({ word, distance: editDistance(written.toLowerCase(), word.toLowerCase()) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance);
  return ranked[0]?.word ?? null;
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, beforeLast[j - 2]! + 1);
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
