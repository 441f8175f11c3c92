import { resolve } from 'node:path';
import type { Config } from '../config/schema.ts';
import type { Place } from './place/place.ts';

/**
 * Which store is meant, in words without secrets: the same words are the same store, and another
 * one has others.
 *
 * @param config null: it is reached by a server
 */
export function storePlace({ server }: Place, config: Config | null): string {
  if (config === null) return new URL(server ?? '').href;
  const { instance, store } = config;
  if (store.kind === 'embedded') return resolve(instance.dataDir);
  const { url, sentinels, cluster, keyPrefix } = store;
  const watched = sentinels === null ? null : [sentinels.name, sentinels.addresses];
  return JSON.stringify([url, watched, cluster, keyPrefix]);
}
