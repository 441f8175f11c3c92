import { isoTime, withVisibleEscapes } from './text.ts';

/**
 * The outcome of a permit whose instance ended without a word: nobody knows what the caller got.
 *
 * @param permit what the decision said (`permitText`)
 * @param decidedBy the instance that gave the permit
 */
export function unknownOutcome(
  instance: string,
  seq: number,
  timeMs: number,
  permit: string,
  decidedBy: string,
): string {
  const { id, type, ...rest } = JSON.parse(permit) as {
    readonly id: string;
    readonly type: string;
  };
  const event = { id, time: isoTime(timeMs), type, phase: 'outcome', instance, seq };
  const reason = 'outcome-unknown';
  return withVisibleEscapes(
    JSON.stringify({ ...event, ...rest, reason, requestId: id, decidedBy }),
  );
}

/** In whose activity log it appears. */
export function accountOf(permit: string): string | null {
  const { account } = JSON.parse(permit) as { readonly account?: { readonly id: string } | null };
  return account?.id ?? null;
}
