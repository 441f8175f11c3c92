import * as z from 'zod';
import type { MinuteCounts } from './port.ts';

const count = z.number().min(0);
const shape = z.object({
  reasons: z.record(z.string().max(64), count),
  durations: z.array(count).max(64),
  overheads: z.array(count).max(64),
});

export function encodeCounts(counts: MinuteCounts): string {
  return JSON.stringify(counts);
}

/** Null for what cannot be read. */
export function decodeCounts(text: string): MinuteCounts | null {
  try {
    return shape.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
