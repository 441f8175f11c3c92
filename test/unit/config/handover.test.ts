import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadApart } from '../../../src/cli/load-apart.ts';
import { compareConfigs } from '../../../src/config/change.ts';
import { secretsIn, withSecrets } from '../../../src/config/handover.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { folder } from './samples.ts';

it('reads a configuration on a thread of its own with the secrets that it names', async () => {
  const store = { kind: 'redis', url: 'rediss://r', passwordFile: 'pw' };
  const dir = folder({ 'a.yaml': JSON.stringify({ store }), pw: 'said' });
  const { config } = await loadApart(join(dir, 'a.yaml'));
  expect(config.store.kind === 'redis' && config.store.password?.reveal()).toBe('said');
});

it('gives a configuration its secrets back after it was copied', () => {
  const dir = folder({ a: 'one', b: 'two' });
  const set = { Authorization: { valueFile: 'b' } };
  const text = JSON.stringify({
    store: { kind: 'redis', url: 'rediss://r', passwordFile: 'a' },
    upstreams: { up: { addresses: ['http://a'], headers: { set } } },
  });
  const loaded = parseConfig(text, join(dir, 'a.yaml'));
  const { config } = loaded;
  const copy = structuredClone(config);
  expect(compareConfigs(loaded, loaded, { ...loaded, config: copy }).changed).not.toEqual([]);
  const back = withSecrets(copy, structuredClone(secretsIn(config)));
  expect(compareConfigs(loaded, loaded, { ...loaded, config: back }).changed).toEqual([]);
});
