import type { AdminContext } from './context.ts';
import { invalid } from './error.ts';
import type { TransferredRecord } from './transferred.ts';

/** Records that are brought in by one request at most. */
export const IMPORT_BATCH = 1024;
/**
 * Of them, looked at together whether there is anything against them, and brought in by one step of
 * the store. What a gate that keeps its own does of it is one turn of its loop; the command line
 * alone has no calls to answer, but a Redis has.
 */
const AT_ONCE = {
  looked: { byGate: 64, alone: 256 },
  imported: { byGate: 16, alone: 256 },
} as const;

/** Throws `invalid` where there are too many. */
export function importSlices(
  { instance }: AdminContext,
  records: readonly TransferredRecord[],
  what: keyof typeof AT_ONCE,
): readonly (readonly TransferredRecord[])[] {
  mustFit(records);
  const size = AT_ONCE[what][instance === null ? 'alone' : 'byGate'];
  return Array.from({ length: Math.ceil(records.length / size) }, (_, n) =>
    records.slice(n * size, (n + 1) * size),
  );
}

function mustFit({ length }: readonly TransferredRecord[]): void {
  if (length > IMPORT_BATCH)
    throw invalid([
      { field: 'records', message: `must be a list of ${IMPORT_BATCH} records at most` },
    ]);
}
