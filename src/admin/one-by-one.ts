import { type AdminActor, mustBeThere } from './actor.ts';
import { AdminError } from './error.ts';

/** Questions that wait or are answered at a time, each with as many that ask the same. */
const WAITING_MAX = 16;

/** What a reading asks before each piece. Throws `AdminError`: nobody waits for its answer. */
export type MustGoOn = () => void;

/** Resolves with the answer of `work`, which runs when those before it are over. */
export type OneByOne = <T>(
  asker: Pick<AdminActor, 'left'>,
  question: string | symbol,
  work: (mustGoOn: MustGoOn) => Promise<T>,
) => Promise<T>;

interface Asked {
  readonly answer: Promise<unknown>;
  readonly askers: Pick<AdminActor, 'left'>[];
}

/**
 * Long readings one at a time, and one for all that ask the same meanwhile: it stops when the last
 * of them has left. Whoever comes when too many wait is refused with `conflict`.
 */
export function oneByOne(tooMany: string): OneByOne {
  const asked = new Map<string | symbol, Asked>();
  let last: Promise<unknown> = Promise.resolve();
  return <T>(
    asker: Pick<AdminActor, 'left'>,
    question: string | symbol,
    work: (mustGoOn: MustGoOn) => Promise<T>,
  ): Promise<T> => {
    const same = asked.get(question);
    if (same?.askers.some(isThere) === true) {
      same.askers.push(asker);
      return same.answer as Promise<T>;
    }
    if (asked.size >= WAITING_MAX) return Promise.reject(new AdminError('conflict', tooMany));
    const askers = [asker];
    const mustGoOn = () => mustBeThere(askers.find(isThere) ?? asker);
    const answer = last
      .then(() => {
        mustGoOn();
        return work(mustGoOn);
      })
      .finally(() => {
        if (asked.get(question)?.answer === answer) asked.delete(question);
      });
    asked.set(question, { answer, askers });
    last = answer.catch(() => undefined);
    return answer;
  };
}

function isThere({ left }: Pick<AdminActor, 'left'>): boolean {
  return left?.aborted !== true;
}
