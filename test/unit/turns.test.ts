import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { turn } from '../../src/turns.ts';

const WORKS = 20;

/** In how many turns of the loop the slices of all works were done, and in which order. */
async function slicesOf(give: () => Promise<unknown>, slices: number) {
  let now = 0;
  const done: { readonly work: number; readonly at: number }[] = [];
  let goesOn = true;
  const counting = (async () => {
    for (; goesOn; now += 1) await nextTurn();
  })();
  await Promise.all(
    Array.from({ length: WORKS }, async (_, work) => {
      for (let slice = 0; slice < slices; slice += 1) {
        await give();
        done.push({ work, at: now });
      }
    }),
  );
  goesOn = false;
  await counting;
  return done;
}

it('gives each slice a turn of the loop, however many works there are', async () => {
  const done = await slicesOf(turn, 3);
  expect(new Set(done.map(({ at }) => at)).size).toBe(WORKS * 3);
});

it('lets all works go on alike', async () => {
  const done = await slicesOf(turn, 3);
  const rounds = [0, 1, 2].map((round) => done.slice(round * WORKS, (round + 1) * WORKS));
  for (const round of rounds) expect(new Set(round.map(({ work }) => work)).size).toBe(WORKS);
});

it('is needed: immediates of many works share a turn', async () => {
  const done = await slicesOf(nextTurn, 3);
  expect(new Set(done.map(({ at }) => at)).size).toBeLessThan(WORKS);
});
