import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { read } from './tree.ts';

/** What is loaded with a file: neither types, nor what it loads itself when it is needed. */
const LOADED = /^(?:import|export)\s(?!type\b)[^;'"]*?\bfrom\s*'(\.[^']+)'/gm;

function loadedWith(...files: readonly string[]): ReadonlySet<string> {
  const loaded = new Set(files);
  for (const file of loaded)
    for (const [, to] of read(file).matchAll(LOADED))
      loaded.add(posix.join(posix.dirname(file), to!));
  return loaded;
}

const TABLE = 'src/admin/administration.ts';

/** Somebody waits for each command, and presses Tab. */
describe('what a command loads', () => {
  it('is the gate’s only where that is needed', () => {
    expect([...loadedWith('src/cli/reach-store.ts')]).toContain(TABLE);
    for (const file of ['reach', 'options', 'terminal', 'lists', 'place/place', 'role', 'explain'])
      expect([...loadedWith(`src/cli/${file}.ts`)], file).not.toContain(TABLE);
  });

  it('is little for names: what reads them, and nothing that decides or administers', () => {
    const names = ['src/cli/complete-names.ts', 'src/cli/names-at.ts'];
    const ways = {
      server: ['src/admin/remote/api-client.ts', 'src/cli/place/connection.ts'],
      owner: ['src/config/load.ts', 'src/admin/owner-conversation.ts'],
      embedded: ['src/config/load.ts', 'src/admin/stores.ts', 'src/admin/stores-embedded.ts'],
      redis: ['src/config/load.ts', 'src/admin/stores.ts', 'src/admin/stores-redis.ts'],
    };
    const most = { server: 60, owner: 120, embedded: 160, redis: 190 };
    for (const way of Object.keys(ways) as (keyof typeof ways)[]) {
      const loaded = [...loadedWith(...names, ...ways[way])];
      expect(loaded.length, way).toBeLessThan(most[way]);
      const far = loaded.filter((file) => /^src\/(decision|calls|webhooks|gateway)\//.test(file));
      expect([...far, ...loaded.filter((file) => file === TABLE)], way).toEqual([]);
    }
  });
});
