import { beforeEach, expect, it } from 'vitest';
import { playSetting } from '../prove/audit/play.ts';
import { settingsOf } from '../prove/audit/settings.ts';
import { requireOrSkip } from '../support/system.ts';

beforeEach((ctx) => requireOrSkip(ctx, 'redis-server'));

// `npm run prove -- audit` plays all there are, for longer, with every durability.
it.concurrent.each([
  ['kill -9 under load, again and again, half', 'Redis', 'local'],
  ['the keys of the record are deleted', 'Redis', 'store'],
  ['while a spool is replayed to it', 'Sentinels', 'both'],
  ['another machine gets the folder', 'Redis', 'both'],
])(
  'the record holds, and says what it does not: %s, %s, %s',
  async (...words) => {
    const [setting, ...more] = settingsOf(words);
    expect(more).toEqual([]);
    const { faults } = await playSetting(setting!, { kills: 2, rate: 100, seed: 1 });
    expect(faults).toEqual([]);
  },
  180_000,
);
