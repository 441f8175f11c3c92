import { expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { folder, parse, saidOf } from './samples.ts';

const REDIS = 'store: { kind: redis, url: "rediss://r" }\n';
const upstreams = (...wishes: string[]) => {
  const all = wishes.map((wish, n) => `u${n}: { addresses: ["http://a"], assertion: ${wish} }`);
  return `upstreams: { ${all.join(', ')} }\n`;
};
const SECRET = 's'.repeat(32);
const VARIABLE = `"$\{SECRET}"`;

it('fills in what is left out', () => {
  const { config } = parse(upstreams('{ audience: a }'));
  expect(config.upstreams[0]!.assertion).toEqual({
    audience: 'a',
    lifetimeSeconds: 60,
    bind: 'none',
  });
  expect(config.assertion).toEqual({
    issuer: 'sallyport',
    rotateDays: 30,
    sealingKeyFile: null,
    sealingKey: null,
  });
});

it.each([
  ['{}', 'audience'],
  ['{ audience: "with a blank" }', 'audience'],
  ['{ audience: "" }', 'audience'],
  ['{ audience: a, lifetimeSeconds: 61 }', 'lifetimeSeconds'],
  ['{ audience: a, lifetimeSeconds: 4 }', 'lifetimeSeconds'],
  ['{ audience: a, bind: body }', 'bind'],
  ['true', 'expected a group'],
])('refuses %s', (wish, named) => {
  expect(saidOf(upstreams(wish)).join('\n')).toContain(named);
});

it('wants a sealing key with Redis where an upstream asks for assertions, and only there', () => {
  const said = (section: string, ...wishes: string[]) =>
    saidOf(`${REDIS}${section}${upstreams(...wishes)}`, { environment: { SECRET } }).join('\n');
  expect(said('', '{ audience: a }')).toMatch(/^assertion\.sealingKeyFile: is missing/);
  expect(said(`assertion: { sealingKey: ${VARIABLE} }\n`, '{ audience: a }')).toBe('');
  expect(said('', 'null')).not.toContain('sealingKey');
  expect(
    saidOf(`assertion: { sealingKey: ${VARIABLE} }`, { environment: { SECRET } }).join('\n'),
  ).toContain('only with store.kind');
});

it('takes a sealing key from a file or the environment, long enough, and never shows it', () => {
  const load = (section: string, file = SECRET) => {
    const dir = folder({ key: file });
    return () =>
      parseConfig(`${REDIS}assertion: { ${section} }`, `${dir}/sallyport.yaml`, {
        environment: { SECRET, SHORT: 'short' },
      });
  };
  const { config } = load('sealingKeyFile: key', `${SECRET}\n${SECRET}2\n`)();
  expect(config.assertion.sealingKey!.reveal()).toBe(`${SECRET}\n${SECRET}2`);
  expect(JSON.stringify(config)).not.toContain(SECRET);
  expect(load('sealingKeyFile: key', `${SECRET}\nshort\n`)).toThrow('at least 32 characters each');
  expect(load(`sealingKey: ${VARIABLE.replace('SECRET', 'SHORT')}`)).toThrow(
    'at least 32 characters each',
  );
  expect(load(`sealingKey: ${SECRET}`)).toThrow('not written into this file');
  expect(load(`sealingKeyFile: key, sealingKey: ${VARIABLE}`)).toThrow('not both');
});

it('warns of two services with one audience: each could show to the other what it was told', () => {
  const { warnings } = parse(upstreams('{ audience: a }', '{ audience: b }', '{ audience: a }'));
  const named = warnings.filter(({ message }) => message.includes('of u0'));
  expect(named.map(({ path }) => path)).toEqual(['upstreams.u2.assertion.audience']);
});
