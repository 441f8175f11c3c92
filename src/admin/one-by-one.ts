import { AdminError } from './error.ts';

/** Questions that wait or are answered at a time, each with as many that ask the same. */
const WAITING_MAX = 16;

/** Resolves with the answer of `work`, which runs when those before it are over. */
export type OneByOne = <T>(question: string | symbol, work: () => Promise<T>) => Promise<T>;

/**
 * Long readings one at a time, and one for all that ask the same meanwhile. Whoever comes when too
 * many wait is refused with `conflict`.
 */
export function oneByOne(tooMany: string): OneByOne {
  const asked = new Map<string | symbol, Promise<unknown>>();
  let last: Promise<unknown> = Promise.resolve();
  return <T>(question: string | symbol, work: () => Promise<T>): Promise<T> => {
    const same = asked.get(question);
    if (same !== undefined) return same as Promise<T>;
    if (asked.size >= WAITING_MAX) return Promise.reject(new AdminError('conflict', tooMany));
    const answer = last.then(work).finally(() => asked.delete(question));
    asked.set(question, answer);
    last = answer.catch(() => undefined);
    return answer;
  };
}
