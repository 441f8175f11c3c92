import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { compareConfigs } from '../../../src/config/change.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { folder, parse, saidOf } from './samples.ts';

const SECRET = 'a-credential-of-its-own';
const environment = { TOKEN: SECRET, BROKEN: `${SECRET}\nX-Account-Id: x`, EMPTY: '' };
const upstream = (headers: string) =>
  `upstreams: { api: { addresses: ["http://a"], headers: ${headers} } }
routes: [{ name: p, path: /p, access: public, upstream: api }]`;
const said = (headers: string) => saidOf(upstream(headers), { environment });

describe('headers that are set', () => {
  it('come from the environment, whole or in part, and are printed nowhere', () => {
    const { config } = parse(upstream(`{ set: { Authorization: "Bearer \${TOKEN}" } }`), {
      environment,
    });
    const { headers } = config.upstreams[0]!;
    expect(headers?.set[0]?.value.reveal()).toBe(`Bearer ${SECRET}`);
    expect(JSON.stringify(config) + inspect(config, { depth: 9 })).not.toContain(SECRET);
  });

  it('come from a file, which is watched, behind a prefix', () => {
    const path = folder({ token: `${SECRET}\n` });
    const text = upstream('{ set: { X-Key-File: { valueFile: token, prefix: "Key " } } }');
    const loaded = parseConfig(text, `${path}/gate.yaml`, { environment });
    const set = loaded.config.upstreams[0]?.headers?.set[0];
    expect([set?.name, set?.value.reveal()]).toEqual(['X-Key-File', `Key ${SECRET}`]);
    expect(loaded.files).toEqual([`${path}/token`]);
  });

  it('are not written out in the file, as a default either', () => {
    for (const value of [
      '"written"',
      `"\${TOKEN:-written}"`,
      `"$\${TOKEN}"`,
      `{ valueFile: a, value: "\${TOKEN}" }`,
    ])
      expect(said(`{ set: { X-Key: ${value} } }`), value).toContain(
        'upstreams.api.headers.set.X-Key: a value is not written into this file: use valueFile, or a variable of the environment',
      );
  });

  it('are refused, without being repeated, when they could be read as anything else', () => {
    const path = folder({ two: `${SECRET}\n\n`, blank: ` ${SECRET}` });
    for (const value of [
      `"\${BROKEN}"`,
      `"\${EMPTY}"`,
      `" \${TOKEN}"`,
      `{ valueFile: ${path}/two }`,
      `{ valueFile: ${path}/blank }`,
    ]) {
      const faults = said(`{ set: { X-Key: ${value} } }`).join();
      expect(faults, value).toContain('expected a value of 1 to 8192 visible ASCII characters');
      expect(faults).not.toContain(SECRET);
    }
    expect(said(`{ set: { X-Key: { valueFile: ${path}/none } } }`).join()).toMatch(
      /^upstreams\.api\.headers\.set\.X-Key\.valueFile: [^,]*$/,
    );
  });

  it('are named once, and so that no server takes one for another', () => {
    expect(said(`{ set: { X-Key: "\${TOKEN}", x-key: "\${TOKEN}" }, remove: [X-KEY] }`)).toEqual([
      'upstreams.api.headers.set.x-key: the field is named twice (letter case does not count)',
      'upstreams.api.headers.remove[0]: the field is named twice (letter case does not count)',
    ]);
    expect(said(`{ set: { X_Key: "\${TOKEN}" } }`).join()).toContain('the name of a header field');
    expect(said('{ remove: ["X Key"] }').join()).toContain('the name of a header field');
  });
});

it('tells a rotated credential from the one before', () => {
  const load = (TOKEN: string) =>
    parse(upstream(`{ set: { X-Key: "\${TOKEN}" } }`), { environment: { TOKEN } });
  const changed = (one: string, other: string) =>
    compareConfigs(load(one), load(one), load(other)).changed;
  expect(changed('a', 'b')).toEqual(['upstreams']);
  expect(changed('a', 'a')).toEqual([]);
});
