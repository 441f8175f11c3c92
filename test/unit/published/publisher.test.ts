import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Route } from '../../../src/decision/route.ts';
import { EmbeddedPublished } from '../../../src/published/embedded.ts';
import { RoutePublisher } from '../../../src/published/publisher.ts';
import { route } from '../decision/samples.ts';

describe('the publisher of routes', () => {
  let nowMs = 0;
  let away = false;
  let faults = 0;
  let store: EmbeddedPublished;
  let publisher: RoutePublisher;
  const one = (): readonly Route[] => [route({ name: 'one', path: '/one' })];

  beforeEach(() => {
    [nowMs, away, faults] = [1_000, false, 0];
    const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs };
    store = new EmbeddedPublished(clock);
    const publish = store.publish.bind(store);
    store.publish = async (...words) => {
      if (away) throw new Error('away');
      return publish(...words);
    };
    publisher = new RoutePublisher({
      ...{ store, instance: 'i-1', clock },
      onFault: () => {
        faults += 1;
      },
    });
  });
  afterEach(() => publisher.close());

  async function said() {
    await publisher.say();
    return (await store.list())[0] ?? null;
  }

  it('says which routes are in force, since when, and again and again', async () => {
    expect(await said()).toBeNull();
    publisher.show(one());
    expect(await said()).toMatchObject({ instance: 'i-1', routes: 1, sinceMs: 1_000 });
    nowMs = 9_000;
    expect(await said()).toMatchObject({ sinceMs: 1_000, toldMs: 9_000 });
  });

  it('counts the time anew when other routes come into force, and only then', async () => {
    publisher.show(one());
    const first = await said();
    nowMs = 2_000;
    publisher.show(one());
    expect(await said()).toMatchObject({ sinceMs: 1_000, table: first?.table });
    nowMs = 3_000;
    publisher.show([...one(), route({ name: 'two', path: '/two' })]);
    expect(await said()).toMatchObject({ routes: 2, sinceMs: 3_000 });
    expect((await said())?.table).not.toBe(first?.table);
  });

  it('says nothing of an instance without routes', async () => {
    publisher.show([]);
    expect(await said()).toBeNull();
    publisher.show(one());
    expect(await said()).not.toBeNull();
    publisher.show([]);
    expect(await said()).toBeNull();
  });

  it('tells of an outage once, and says what is in force when it is over', async () => {
    away = true;
    publisher.show(one());
    expect(await said()).toBeNull();
    expect(await said()).toBeNull();
    expect(faults).toBe(1);
    away = false;
    expect(await said()).toMatchObject({ routes: 1 });
  });

  it('takes back what it has said at its end', async () => {
    publisher.show(one());
    expect(await said()).not.toBeNull();
    await publisher.close();
    expect(await store.list()).toEqual([]);
  });
});
