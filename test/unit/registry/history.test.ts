import { describe, expect, it } from 'vitest';
import { type FeedEvent, FeedLost } from '../../../src/registry/port.ts';
import type { Position } from '../../../src/registry/position.ts';
import { readHistory } from '../../../src/registry/replica/history.ts';
import { Trail } from '../../../src/registry/replica/trail.ts';

const EPOCH = 'e1';

/** A store that has come to where its last tip stands; the first change has the number 1. */
function storeWith(...tips: readonly string[]) {
  const events = tips.map(
    (tip, index): FeedEvent => ({
      seq: index + 1,
      tip,
      prev: tips[index - 1] ?? '',
      changes: [],
    }),
  );
  const now: Position = { epoch: EPOCH, seq: tips.length, tip: tips.at(-1)! };
  const eventsAfter = async ({ seq, tip }: Position) => {
    const there = events[seq - 1]?.tip;
    if (seq > events.length || (tip !== undefined && tip !== there))
      throw new FeedLost('another history', { forked: true });
    return events.slice(seq);
  };
  return { now, source: { eventsAfter } };
}

function trailOver(...tips: readonly string[]): Trail {
  const trail = new Trail({ epoch: EPOCH, seq: 1, tip: tips[0]! });
  for (const [index, tip] of tips.entries()) trail.goTo({ epoch: EPOCH, seq: index + 1, tip });
  return trail;
}

async function seen(trail: Trail | null, store: ReturnType<typeof storeWith>) {
  const { events, lost, forked } = await readHistory(store.source, trail, store.now);
  return { tips: events.map(({ tip }) => tip), lost, forked };
}

describe('what a reader missed', () => {
  it('is what came after the end of its way', async () => {
    expect(await seen(trailOver('a1', 'a2'), storeWith('a1', 'a2', 'a3'))).toEqual({
      tips: ['a3'],
      lost: false,
      forked: false,
    });
  });

  it('is all there is when it was never there', async () => {
    expect(await seen(null, storeWith('a1', 'a2'))).toEqual({
      tips: ['a1', 'a2'],
      lost: false,
      forked: false,
    });
  });
});

describe('a store that lacks what a reader has seen', () => {
  it('has lost the end only, when the reader came by where it stands', async () => {
    expect(await seen(trailOver('a1', 'a2', 'a3'), storeWith('a1', 'a2'))).toMatchObject({
      lost: true,
      forked: false,
    });
  });

  it('has parted before, when it went back and on, and stands at a number of the reader by other changes', async () => {
    expect(await seen(trailOver('a1', 'a2', 'a3'), storeWith('a1', 'b2'))).toEqual({
      tips: ['a1', 'b2'],
      lost: true,
      forked: true,
    });
  });

  it('has parted before, when it has gone past the reader by other changes', async () => {
    expect(await seen(trailOver('a1', 'a2'), storeWith('a1', 'b2', 'b3'))).toMatchObject({
      lost: true,
      forked: true,
    });
  });

  it('may have parted before, when it is too long ago for the reader to tell', async () => {
    const tips = Array.from({ length: 1_000 }, (_, index) => `a${index + 1}`);
    expect(await seen(trailOver(...tips), storeWith('a1', 'a2'))).toMatchObject({
      lost: true,
      forked: true,
    });
  });
});
