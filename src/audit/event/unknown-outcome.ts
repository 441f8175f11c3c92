import type { LeftPermit } from '../permits/notes.ts';
import { isoTime } from './text.ts';
import { eventJson } from './write.ts';

/**
 * The outcome of a permit whose instance ended without a word: nobody knows what the caller got. It
 * has no number: it stands in the series of neither instance.
 *
 * @param instance the one that closes it
 * @param decidedBy the one that gave the permit
 */
export function unknownOutcome(
  instance: string,
  timeMs: number,
  { id, ...rest }: LeftPermit,
  decidedBy: string,
): string {
  const time = isoTime(timeMs);
  const reason = 'outcome-unknown';
  const known = { ...rest, phase: 'outcome', instance, reason } as const;
  return eventJson({ id, time, ...known, requestId: id, decidedBy });
}
