import { expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { configHash } from '../../../src/gateway/config-hash.ts';

const environment = { KEY: 'one', OTHER: 'two' };

function hashOf(keys: { name?: string; path?: string; secret?: string }): string {
  const { name = 'a', path = '/x', secret = 'KEY' } = keys;
  const text = `
instance: { name: ${name} }
listen: { ops: {} }
upstreams: { api: { addresses: ["http://a"], headers: { set: { X-Key: "\${${secret}}" } } } }
routes: [{ name: p, path: ${path}, access: public, upstream: api }]`;
  return configHash(parseConfig(text, 'gate.yaml', { environment }).config);
}

it('is the same for instances that are to be alike, and another one where a route differs', () => {
  expect(hashOf({})).toMatch(/^[0-9a-f]{12}$/);
  expect(hashOf({ name: 'b' })).toBe(hashOf({}));
  expect(hashOf({ path: '/y' })).not.toBe(hashOf({}));
});

it('does not depend on a secret, so that nobody can try secrets by it', () => {
  expect(hashOf({ secret: 'OTHER' })).toBe(hashOf({}));
});
