import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigFaults } from '../../../src/config/faults.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { checkWebhooks, hooksOf } from '../../../src/webhooks/hooks.ts';

const SECRET = `whsec_${Buffer.alloc(32, 'k').toString('base64')}`;

describe('webhooks in the configuration', () => {
  let dir: string;

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'sallyport-webhooks-'));
    writeFileSync(join(dir, 'secret'), `${SECRET}\n`, { mode: 0o600 });
    writeFileSync(join(dir, 'two'), `${SECRET}\n${SECRET}\n`, { mode: 0o600 });
    writeFileSync(join(dir, 'bad'), 'hunter2\n', { mode: 0o600 });
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const HOOK = {
    name: 'siem',
    url: 'https://siem.example.com/x',
    events: ['account-created'],
    secretFile: 'secret',
  };
  const load = (...webhooks: object[]) =>
    parseConfig(
      JSON.stringify({ store: { kind: 'embedded' }, webhooks }),
      join(dir, 'sallyport.yaml'),
      { checks: [checkWebhooks] },
    );
  const faultsOf = (...webhooks: object[]): string => {
    try {
      load(...webhooks);
      return '';
    } catch (error) {
      if (!(error instanceof ConfigFaults)) throw error;
      return error.faults.map(({ path, message }) => `${path}: ${message}`).join('\n');
    }
  };

  it('are taken, with one secret or two', () => {
    const [one, two] = hooksOf(load(HOOK, { ...HOOK, name: 'b', secretFile: 'two' }).config);
    expect([one!.keys.length, two!.keys.length]).toEqual([1, 2]);
    expect(one).toMatchObject({ name: 'siem', ca: null, networks: null });
    expect(JSON.stringify([one, two])).not.toContain(SECRET.slice(6, 30));
  });

  it.each([
    ['an event that there is not', { events: ['account-made'] }, 'there is no event account-made'],
    ['no event', { events: [] }, 'webhooks[0].events: expected at least'],
    ['plain HTTP', { url: 'http://siem.example.com/' }, 'expected an https URL'],
    ['a password in the URL', { url: 'https://a:b@siem.example.com/' }, 'expected an https URL'],
    ['an address of a private network', { url: 'https://10.0.0.1/' }, 'not public'],
    ['an address in other words', { url: 'https://0x7f.1/' }, 'not public'],
    [
      'an address outside its networks',
      { url: 'https://10.0.0.1/', networks: ['10.1.0.0/16'] },
      'outside its networks',
    ],
    ['networks that are none', { networks: ['10.0.0.1/8'] }, 'write 10.0.0.0/8'],
    ['a secret that is none', { secretFile: 'bad' }, 'is not whsec_'],
    ['no secret', { secretFile: undefined }, 'webhooks[0].secretFile: is missing'],
    ['a secret in the file', { secretFile: undefined, secret: SECRET }, 'is not written into'],
  ])('are refused with %s', (_what, changes, fault) => {
    expect(faultsOf({ ...HOOK, ...changes })).toContain(fault);
  });

  it('have names of their own', () => {
    expect(faultsOf(HOOK, HOOK)).toContain('another webhook has this name');
  });
});
