import { describe, expect, it } from 'vitest';
import { Fields } from '../../../src/http/fields.ts';
import { FieldSection, HpackDecoder } from '../../../src/http2/hpack-decoder.ts';
import { encodeResponse } from '../../../src/http2/hpack-encoder.ts';
import { decodeHuffman } from '../../../src/http2/huffman.ts';

function decoded(decoder: HpackDecoder, hex: string, maxBytes = 65_536): string[] | null {
  const section = new FieldSection(maxBytes, 100);
  if (!decoder.decode(Buffer.from(hex.replaceAll(' ', ''), 'hex'), section)) return null;
  return section.names.map((name, index) => `${name}: ${section.values[index]}`);
}

const FIRST = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
const THIRD = [
  ':method: GET',
  ':scheme: https',
  ':path: /index.html',
  ':authority: www.example.com',
  'custom-key: custom-value',
];

describe('compressed field sections', () => {
  it.each([
    [
      'RFC 7541 C.3',
      '828684410f7777772e6578616d706c652e636f6d',
      '828684be58086e6f2d6361636865',
      '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
    ],
    [
      'RFC 7541 C.4, Huffman',
      '828684418cf1e3c2e5f23a6ba0ab90f4ff',
      '828684be5886a8eb10649cbf',
      '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
    ],
  ])('are read as the RFC reads them (%s)', (_where, first, second, third) => {
    const decoder = new HpackDecoder();
    expect(decoded(decoder, first)).toEqual(FIRST);
    expect(decoded(decoder, second)).toEqual([...FIRST, 'cache-control: no-cache']);
    expect(decoded(decoder, third)).toEqual(THIRD);
  });

  it('forget what the table has no room for, the oldest first', () => {
    const decoder = new HpackDecoder();
    // A table of 84 bytes has room for two fields of 42.
    const three = ['61', '62', '63'].map(
      (letter) => `40 05 6b65792d${letter} 05 76616c2d${letter}`,
    );
    expect(decoded(decoder, `3f 35 ${three.join(' ')}`)).toHaveLength(3);
    expect(decoded(decoder, 'be bf')).toEqual(['key-c: val-c', 'key-b: val-b']);
    expect(decoded(decoder, 'c0')).toBeNull();
  });

  it.each([
    ['an index past the table', 'be'],
    ['the index 0', '80'],
    ['a number without end', 'ffffffffffffffffffffff'],
    ['a text longer than the section', '000161ff00'],
    ['a larger table than was offered', '3fe21f'],
    ['another size of the table behind a field', '8220'],
    ['padding that is not all ones', '0001618280'.replace('82', '81')],
    ['padding of more than seven bits', '00016182 07ff'],
    ['the end of a string within it', '00016184 ffffffff'],
    ['no value', '000161'],
  ])('are refused with %s', (_what, hex) => {
    expect(decoded(new HpackDecoder(), hex)).toBeNull();
  });

  it('are taken no further than their limit, and still read to the end', () => {
    const decoder = new HpackDecoder();
    const section = new FieldSection(1000, 100);
    const value = 'x'.repeat(100);
    const field = `40 01 61 64 ${Buffer.from(value).toString('hex')}`;
    const bomb = `${field} ${'be'.repeat(10_000)} 40 01 62 01 63`;
    expect(decoder.decode(Buffer.from(bomb.replaceAll(' ', ''), 'hex'), section)).toBe(true);
    expect(section.tooLarge).toBe(true);
    expect(section.names.length).toBeLessThan(10);
    expect(decoded(decoder, 'be')).toEqual(['b: c']);
  });

  it('have texts of one character for each byte', () => {
    expect(decodeHuffman(Buffer.from('f1e3c2e5f23a6ba0ab90f4ff', 'hex'), 0, 12)).toBe(
      'www.example.com',
    );
  });

  it('are written so that they are read again', () => {
    const long = 'x'.repeat(20_000);
    const fields = new Fields()
      .add('Content-Type', 'text/plain')
      .add('X-Own', 'caf\u00e9')
      .add('X-Long', long)
      .add(`X-${'name-'.repeat(60)}`, '');
    for (const status of [200, 103, 418]) {
      const section = new FieldSection(65_536, 100);
      new HpackDecoder().decode(encodeResponse(status, fields, '12'), section);
      expect(section.names.map((name, index) => [name, section.values[index]])).toEqual([
        [':status', String(status)],
        ['content-type', 'text/plain'],
        ['x-own', 'caf\u00e9'],
        ['x-long', long],
        [`x-${'name-'.repeat(60)}`, ''],
        ['content-length', '12'],
      ]);
    }
  });
});
