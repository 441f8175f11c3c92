import type { LeftPermit } from '../permits/notes.ts';
import { isoTime, withVisibleEscapes } from './text.ts';

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
  { id, type, ...rest }: LeftPermit,
  decidedBy: string,
): string {
  const event = { id, time: isoTime(timeMs), type, phase: 'outcome', instance };
  const reason = 'outcome-unknown';
  return withVisibleEscapes(
    JSON.stringify({ ...event, ...rest, reason, requestId: id, decidedBy }),
  );
}
