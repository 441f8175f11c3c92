import { expect, vi } from 'vitest';
import type { AdminActor } from '../../src/admin/actor.ts';
import type { Administration } from '../../src/admin/administration.ts';

/**
 * Holds the next question for a matrix until whoever asks it has left, as its door tells, and then
 * lets it be answered as ever.
 *
 * @param ask asks it at the door
 * @returns the answer that nobody waits for
 */
export async function answerToWhoLeaves(
  administration: Administration,
  ask: () => { leave(): void },
): Promise<unknown> {
  const begun = Promise.withResolvers<AdminActor>();
  const gone = Promise.withResolvers<void>();
  const real = administration.accessMatrix;
  const asked = vi.spyOn(administration, 'accessMatrix');
  asked.mockImplementationOnce(async (actor, question) => {
    begun.resolve(actor);
    await gone.promise;
    return real(actor, question);
  });
  const { leave } = ask();
  const { left } = await begun.promise;
  try {
    expect(left?.aborted).toBe(false);
    leave();
    await expect.poll(() => left?.aborted, { timeout: 10_000 }).toBe(true);
  } finally {
    gone.resolve();
  }
  const [answer] = asked.mock.results;
  asked.mockRestore();
  return answer?.value;
}
