import type { AuditStore, Durability } from '../../support/truth/audit-stage.ts';
import { scenes as fleet } from './fleet.ts';
import { scenes as kills } from './kills.ts';
import { scenes as redis } from './redis.ts';
import type { AuditScene } from './scene.ts';
import { scenes as spool } from './spool.ts';

export const DURABILITIES: readonly Durability[] = ['store', 'local', 'both'];
const SCENES: readonly AuditScene[] = [...kills, ...redis, ...spool, ...fleet];

/** One scene on one store, with answers that wait for one thing. */
export interface Setting {
  readonly scene: AuditScene;
  readonly store: AuditStore;
  readonly durability: Durability;
}

/** Those whose scene, store and durability are meant; a kind that no word names is not narrowed. */
export function settingsOf(words: readonly string[]): readonly Setting[] {
  const stores = words.filter((word) => ['Redis', 'Sentinels', 'embedded'].includes(word));
  const durabilities = words.filter((word) => DURABILITIES.some((one) => one === word));
  const names = words.filter((word) => !stores.includes(word) && !durabilities.includes(word));
  return SCENES.filter(({ name }) => names.length === 0 || names.some((one) => name.includes(one)))
    .flatMap((scene) => scene.stores.map((store) => ({ scene, store })))
    .flatMap(({ scene, store }) =>
      (scene.durabilities ?? DURABILITIES).map((durability) => ({ scene, store, durability })),
    )
    .filter(({ store }) => stores.length === 0 || stores.includes(store))
    .filter(({ durability }) => durabilities.length === 0 || durabilities.includes(durability));
}
