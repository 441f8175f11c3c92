import { describe, expect, it } from 'vitest';
import { decodeAccount, encodeRecord, withVersion } from '../../../src/registry/codec.ts';
import { rightsOf } from '../../../src/registry/revoked/tombstone.ts';
import { account } from '../account/samples.ts';

const NETWORKS = { allowedNetworks: ['10.0.0.0/8'] };
const BOUND = { boundTo: { subject: 'CN=ci' } };

describe('the record', () => {
  it('of an account that is let in from somewhere alone is for readers that know so', () => {
    const schemaOf = (changes: object) => JSON.parse(encodeRecord(account(changes))).schema;
    expect(schemaOf({})).toBe(1);
    for (const changes of [NETWORKS, BOUND, { ...NETWORKS, ...BOUND }]) {
      expect(schemaOf(changes)).toBe(2);
      const text = withVersion(encodeRecord(account(changes)), 3);
      expect(decodeAccount('AAAAAAAAAAAA', text)).toEqual(account({ ...changes, version: 3 }));
    }
  });

  it('of a honey account is for readers that know so', () => {
    expect(encodeRecord(account({ honey: true }))).toContain('"schema":3');
    expect(
      decodeAccount('AAAAAAAAAAAA', withVersion(encodeRecord(account({ honey: true })), 3)),
    ).toMatchObject({ honey: true });
  });

  it('of a newer version says so, and is refused as a damaged one', () => {
    const text = withVersion(encodeRecord(account()), 3).replace('"schema":1', '"schema":4');
    expect(() => decodeAccount('AAAAAAAAAAAA', text)).toThrow(
      expect.objectContaining({
        why: 'damaged',
        message: 'account AAAAAAAAAAAA is written in schema 4, which this version does not know',
      }),
    );
  });

  it('is damaged where it would let in more than it says', () => {
    const written = (changes: object) => withVersion(encodeRecord(account(changes as never)), 3);
    for (const wrong of [
      { allowedNetworks: [] },
      { allowedNetworks: 'any' },
      { boundTo: null },
      { boundTo: {} },
      { boundTo: { issuer: 'x' } },
      { boundTo: { subject: 'CN=a', thumbprint: 'b' } },
    ])
      expect(() => decodeAccount('AAAAAAAAAAAA', written(wrong))).toThrow('cannot be read');
  });
});

it('from where an account is let in is among its rights, whose names stay for all others', () => {
  expect(rightsOf(account())).toBe('df7d70e1792332098b148fc1b27ca6e9');
  expect(new Set([{}, NETWORKS, BOUND].map((one) => rightsOf(account(one)))).size).toBe(3);
});
