import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { newToken } from '../../../src/account/token.ts';
import { readInput } from '../../../src/admin/input.ts';
import * as words from '../../../src/admin/schemas/words.ts';

function faultsOf(shape: z.core.$ZodShape, input: unknown): readonly string[] {
  const { faults = [] } = readInput(z.strictObject(shape), input);
  return faults.map(({ field, message }) => `${field}: ${message}`);
}

const { description } = words;

describe('the words of an input', () => {
  it.each(['a\nb', 'a\u0000', '\u001b[31mred', 'a\u202eb', 'a\u2028b', 'a\u0085b', 'half \ud800'])(
    'refuse control and direction characters in text: %j',
    (text) => {
      expect(faultsOf({ description }, { description: text })).toHaveLength(1);
    },
  );

  it('count a description in characters, not in code units', () => {
    expect(faultsOf({ description }, { description: '🚢'.repeat(500) })).toEqual([]);
    expect(faultsOf({ description }, { description: '🚢'.repeat(501) })).toHaveLength(1);
  });

  it('refuse a description that holds a token, and do not repeat it', () => {
    const token = newToken('abcdefghijkl');
    const faults = faultsOf({ description }, { description: `use ${token}` });
    expect(faults).toHaveLength(1);
    expect(faults.join()).not.toContain(token);
  });

  it('cut foreign values and take their control characters away before they are shown', () => {
    const input = { name: `\u001b[2J${'x'.repeat(5000)}` };
    const [fault = ''] = faultsOf({ name: words.name }, input);
    expect(fault).toContain('is not a name');
    expect(fault).not.toContain('\u001b');
    expect(fault.length).toBeLessThan(300);
  });

  it('say of a list that is too short how many entries it must have', () => {
    const listed = (least: number) => ({ ids: z.array(z.string()).min(least) });
    expect(faultsOf(listed(1), { ids: [] })).toEqual(['ids: must have at least 1 entry']);
    expect(faultsOf(listed(2), { ids: [] })).toEqual(['ids: must have at least 2 entries']);
  });

  it.each([null, 7, 'text', []])('take %j for no input at all', (input) => {
    expect(faultsOf({}, input)).toHaveLength(1);
  });

  it('know no field by way of a prototype, and none besides', () => {
    expect(faultsOf({ name: words.name }, {})).toEqual(['name: is missing']);
    expect(faultsOf({}, JSON.parse('{"__proto__": 1, "constructor": 2}'))).toEqual([
      '__proto__: is not a known field',
      'constructor: is not a known field',
    ]);
  });

  it.each(['2030-01-01', '2030-01-01T00:00:00', '2030-13-01T00:00:00Z', 'tomorrow', '1e9', ''])(
    'take %j for no moment',
    (at) => {
      expect(faultsOf({ at: words.expiry }, { at })).toHaveLength(1);
    },
  );

  it('read what they have read once as the same', () => {
    const schema = z.strictObject({
      description,
      at: words.expiry,
      permissions: words.permissions,
      ...words.restriction,
    });
    const once = readInput(schema, {
      description: ' Nightly  builds ',
      at: '2030-01-31T13:00:00+01:00',
      permissions: ['a:b', 'a:b', 'a:c'],
      allowedNetworks: ['192.0.2.7', '10.0.0.0/8', '::ffff:192.0.2.7'],
      boundTo: { subject: 'cn=ci' },
    });
    expect(once.value).toEqual({
      description: 'Nightly  builds',
      at: '2030-01-31T12:00:00.000Z',
      permissions: ['a:b', 'a:c'],
      allowedNetworks: ['10.0.0.0/8', '192.0.2.7'],
      boundTo: { subject: 'CN=ci' },
    });
    expect(readInput(schema, once.value)).toEqual(once);
  });
});
