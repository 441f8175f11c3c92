import type { Durability } from '../../support/truth/audit-stage.ts';
import type { AuditStore } from '../../support/truth/stores.ts';
import { scenes as fleet } from './fleet.ts';
import { scenes as kills } from './kills.ts';
import { scenes as left } from './left.ts';
import { scenes as redis } from './redis.ts';
import type { AuditScene } from './scene.ts';
import { scenes as disk } from './spool.ts';
import { scenes as tail } from './tail.ts';

const DURABILITIES: readonly Durability[] = ['store', 'local', 'both'];
/** Each name stands for all scenes of its kind. */
const GROUPS: Readonly<Record<string, readonly AuditScene[]>> = {
  kills,
  redis,
  tail,
  disk,
  left,
  fleet,
};
const STORES: readonly AuditStore[] = ['Redis', 'Sentinels', 'Cluster', 'embedded'];

/** The words that `settingsOf` knows, by kind; of a scene's name a part is enough. */
export function knownWords(): string {
  const groups = Object.entries(GROUPS).map(
    ([group, scenes]) => `${group}: ${scenes.map(({ name }) => `“${name}”`).join(', ')}`,
  );
  return [...groups, `stores: ${STORES.join(' ')}`, `durabilities: ${DURABILITIES.join(' ')}`].join(
    '\n',
  );
}

/** One scene on one store, with answers that wait for one thing. */
export interface Setting {
  readonly scene: AuditScene;
  readonly store: AuditStore;
  readonly durability: Durability;
}

/** Those whose scene, store and durability are meant; a kind that no word names is not narrowed. */
export function settingsOf(words: readonly string[]): readonly Setting[] {
  const stores = words.filter((word) => STORES.some((one) => one === word));
  const durabilities = words.filter((word) => DURABILITIES.some((one) => one === word));
  const names = words.filter((word) => !stores.includes(word) && !durabilities.includes(word));
  return Object.entries(GROUPS)
    .flatMap(([group, scenes]) => scenes.filter(({ name }) => isMeant(names, group, name)))
    .flatMap((scene) => scene.stores.map((store) => ({ scene, store })))
    .flatMap(({ scene, store }) =>
      (scene.durabilities ?? DURABILITIES).map((durability) => ({ scene, store, durability })),
    )
    .filter(({ store }) => stores.length === 0 || stores.includes(store))
    .filter(({ durability }) => durabilities.length === 0 || durabilities.includes(durability));
}

function isMeant(words: readonly string[], group: string, name: string): boolean {
  return words.length === 0 || words.some((one) => one === group || name.includes(one));
}
