import { describe, expect, it } from 'vitest';
import {
  type ClientAddressField,
  certificateOf,
  TrustedProxies,
} from '../../../src/http/client-address.ts';
import { parsed } from '../forwarding/samples.ts';

const NETWORKS = ['10.0.0.0/8', '192.0.2.1', '2001:db8:1::/48'];

function clientOf(peer: string, ...fields: readonly string[]): string {
  // The field that the sample is about is the one that the proxies are said to set.
  const from = fields.some((field) => /^forwarded:/i.test(field)) ? 'forwarded' : 'x-forwarded-for';
  return told(from, peer, ...fields).address;
}

function told(from: ClientAddressField, peer: string, ...fields: readonly string[]) {
  const head = parsed('GET / HTTP/1.1', 'Host: h', ...fields);
  return new TrustedProxies(NETWORKS, from).clientOf(head, {
    address: peer,
    port: 1,
    secure: true,
  });
}

describe('whose call it is', () => {
  it('is the peer’s, whatever a stranger says', () => {
    for (const field of [
      'X-Forwarded-For: 198.51.100.1',
      'Forwarded: for=198.51.100.1',
      'X-Real-IP: 198.51.100.1',
    ]) {
      expect(clientOf('203.0.113.9', field)).toBe('203.0.113.9');
      expect(clientOf('192.0.2.2', field)).toBe('192.0.2.2');
    }
  });

  it.each([
    ['the address that a trusted proxy saw', ['X-Forwarded-For: 198.51.100.1'], '198.51.100.1'],
    [
      'the nearest that is no proxy of ours',
      ['X-Forwarded-For: 1.1.1.1, 198.51.100.1,10.2.3.4 ,192.0.2.1'],
      '198.51.100.1',
    ],
    [
      'the nearest over several fields',
      ['X-Forwarded-For: 1.1.1.1', 'x-forwarded-for: 198.51.100.1', 'X-Forwarded-For: 10.0.0.2'],
      '198.51.100.1',
    ],
    ['the furthest proxy, where all are ours', ['X-Forwarded-For: 10.0.0.3, 10.0.0.2'], '10.0.0.3'],
    [
      'IPv6, in brackets and with a port',
      ['X-Forwarded-For: [2001:db8:2::1]:443'],
      '2001:db8:2::1',
    ],
    ['IPv4 with a port', ['X-Forwarded-For: 198.51.100.1:1234'], '198.51.100.1'],
    ['as far as it is known', ['X-Forwarded-For: 198.51.100.1, unknown, 10.0.0.2'], '10.0.0.2'],
    ['the peer, where a zone of another host is said', ['X-Forwarded-For: fe80::1%a'], '10.0.0.1'],
    ['the peer, where nothing is an address', ['X-Forwarded-For: unknown'], '10.0.0.1'],
    ['the peer, where nothing is said', [], '10.0.0.1'],
    ['the peer, where an empty field is sent', ['X-Forwarded-For:'], '10.0.0.1'],
    ['from Forwarded', ['Forwarded: for=198.51.100.1;proto=http;by=10.0.0.1'], '198.51.100.1'],
    ['from Forwarded, quoted IPv6', ['Forwarded: For="[2001:db8:2::1]:4711"'], '2001:db8:2::1'],
    [
      'from Forwarded, the nearest',
      ['Forwarded: for=1.1.1.1, proto=https;for=198.51.100.1, for=10.9.9.9'],
      '198.51.100.1',
    ],
    [
      'from Forwarded with an obfuscated name',
      ['Forwarded: for=198.51.100.1, for=_hidden'],
      '10.0.0.1',
    ],
    ['from Forwarded without an address', ['Forwarded: proto=https'], '10.0.0.1'],
  ])('is %s', (_, fields, address) => {
    expect(clientOf('10.0.0.1', ...fields)).toBe(address);
  });

  it('is what the one field says that the proxies set; the other one is the client’s', () => {
    const both = ['X-Forwarded-For: 198.51.100.1', 'Forwarded: for=198.51.100.2'];
    expect(told('x-forwarded-for', '10.0.0.1', ...both)).toMatchObject({
      address: '198.51.100.1',
      forwardedFor: '198.51.100.1',
      forwarded: '',
    });
    expect(told('forwarded', '10.0.0.1', ...both)).toMatchObject({
      address: '198.51.100.2',
      forwardedFor: '',
      forwarded: 'for=198.51.100.2',
    });
    expect(told('x-forwarded-for', '10.0.0.1', both[1]!).address).toBe('10.0.0.1');
    expect(told('forwarded', '10.0.0.1', both[0]!).address).toBe('10.0.0.1');
  });

  it('is shown as IPv4 where it is IPv4 in IPv6', () => {
    for (const mapped of ['::ffff:198.51.100.1', '::ffff:c633:6401', '[::FFFF:c633:6401]:80'])
      expect(clientOf('10.0.0.1', `X-Forwarded-For: ${mapped}`)).toBe('198.51.100.1');
  });

  it('takes IPv6 networks and IPv4 in IPv6 for what they are', () => {
    expect(clientOf('2001:db8:1::5', 'X-Forwarded-For: 198.51.100.1, 2001:db8:1:ffff::1')).toBe(
      '198.51.100.1',
    );
    expect(clientOf('2001:db8:2::5', 'X-Forwarded-For: 198.51.100.1')).toBe('2001:db8:2::5');
    expect(clientOf('10.0.0.1', 'X-Forwarded-For: 198.51.100.1, ::ffff:10.0.0.7')).toBe(
      '198.51.100.1',
    );
  });

  it('looks only so far back, however long the chain', () => {
    const chain = ['198.51.100.1', ...Array.from({ length: 500 }, () => '10.0.0.2')].join(', ');
    expect(clientOf('10.0.0.1', `X-Forwarded-For: ${chain}`)).toBe('10.0.0.2');
  });

  it('is the peer’s for everyone where no proxy is trusted', () => {
    const head = parsed(
      'GET / HTTP/1.1',
      'Host: h',
      'X-Forwarded-For: 1.1.1.1',
      'Forwarded: for=1.1.1.1',
    );
    const found = new TrustedProxies([]).clientOf(head, {
      address: '10.0.0.1',
      port: 1,
      secure: true,
    });
    expect(found).toMatchObject({
      address: '10.0.0.1',
      forwardedFor: '',
      forwarded: '',
      proto: '',
      host: '',
    });
  });
});

describe('how the client reached the proxies in front (RFC 7239 §5.3, §5.4)', () => {
  const wayOf = (from: ClientAddressField, ...fields: readonly string[]) => {
    const { proto, host } = told(from, '10.0.0.1', ...fields);
    return [proto, host];
  };
  const FOR = 'X-Forwarded-For: 198.51.100.1';

  it.each([
    [
      'one proxy',
      [FOR, 'X-Forwarded-Proto: HTTPS', 'X-Forwarded-Host: Shop.example:8443'],
      ['https', 'shop.example:8443'],
    ],
    ['one that gives no address', ['X-Forwarded-Proto: https'], ['https', '']],
    [
      'the last of two, which overwrites',
      [`${FOR}, 10.0.0.2`, 'X-Forwarded-Proto: https'],
      ['https', ''],
    ],
    [
      'two that append: the outer one, and nobody before it',
      [
        `1.1.1.1, 198.51.100.1, 10.0.0.2`.replace(/^/, 'X-Forwarded-For: '),
        'X-Forwarded-Proto: http, https, http',
        'X-Forwarded-Host: evil, shop.example, inner',
      ],
      ['https', 'shop.example'],
    ],
    [
      'what is no scheme and no host',
      [FOR, 'X-Forwarded-Proto: ftp', 'X-Forwarded-Host: a b'],
      ['', ''],
    ],
    [
      'what the other field says',
      [FOR, 'Forwarded: for=198.51.100.1;proto=https;host=a'],
      ['', ''],
    ],
  ])('is said by %s', (_who, fields, way) => {
    expect(wayOf('x-forwarded-for', ...fields)).toEqual(way);
  });

  it.each([
    ['for=198.51.100.1;proto=https;host="shop.example:8443"', ['https', 'shop.example:8443']],
    [
      'for=evil;proto=http, for=198.51.100.1;Proto="https" ; host=a, for=10.0.0.2;proto=http',
      ['https', 'a'],
    ],
    ['for=198.51.100.1, for=10.0.0.2;proto=https', ['https', '']],
    ['proto=https', ['https', '']],
    ['for=198.51.100.1;proto=javascript;host="a\\"b"', ['', '']],
  ])('is said in Forwarded: %s', (value, way) => {
    expect(wayOf('forwarded', `Forwarded: ${value}`, 'X-Forwarded-Proto: http')).toEqual(way);
  });

  it('is not believed from anybody else', () => {
    const fields = [
      FOR,
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: evil',
      'Forwarded: proto=https',
    ];
    for (const from of ['forwarded', 'x-forwarded-for'] as const)
      expect(told(from, '203.0.113.9', ...fields)).toMatchObject({
        proto: '',
        host: '',
        forwarded: '',
      });
  });
});

describe('whoever connects by a socket', () => {
  const head = parsed('GET / HTTP/1.1', 'Host: h', 'X-Forwarded-For: 198.51.100.1, unix');
  const peer = { port: 0, secure: false, certificate: null } as const;

  it('is believed where it is listed, and nothing that a field says is it', () => {
    const listed = new TrustedProxies(['unix', '10.0.0.0/8']);
    expect([listed.includes('unix'), listed.includes('10.1.2.3'), listed.includes('')]).toEqual([
      true,
      true,
      false,
    ]);
    // The right-most entry is no address: nothing further left is believed.
    expect(listed.clientOf(head, { ...peer, address: 'unix' }).address).toBe('unix');
    const others = new TrustedProxies(['10.0.0.0/8', '::/0', '0.0.0.0/0']);
    expect(others.includes('unix')).toBe(false);
    expect(others.clientOf(head, { ...peer, address: '10.1.2.3' }).address).toBe('10.1.2.3');
  });
});

describe('whose certificate it is', () => {
  const certificate = { thumbprint: 't', subject: null, validUntilMs: 1 };
  const trusted = new TrustedProxies(NETWORKS);
  const of = (address: string, own: typeof certificate | null) =>
    certificateOf({ address, port: 1, secure: true, certificate: own }, trusted);

  it('is the client’s on its own connection', () => {
    expect(of('203.0.113.9', certificate)).toBe(certificate);
    expect(of('203.0.113.9', null)).toBeNull();
    const plain = { address: '203.0.113.9', port: 1, secure: false };
    expect(certificateOf(plain, trusted)).toBeNull();
  });

  it('is nobody’s behind a trusted proxy, whose own it would be', () => {
    expect(of('192.0.2.1', certificate)).toBeNull();
  });
});
