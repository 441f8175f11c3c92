import { describe, expect, it } from 'vitest';
import { newToken } from '../../../src/account/token.ts';
import { AdminError } from '../../../src/admin/error.ts';
import { Fields } from '../../../src/admin/fields.ts';

function faultsOf(
  read: (fields: Fields) => void,
  input: unknown,
  known = Object.keys(Object(input)),
): readonly string[] {
  const fields = new Fields(input, known);
  read(fields);
  try {
    fields.check();
    return [];
  } catch (error) {
    if (error instanceof AdminError)
      return error.faults.map(({ field, message }) => `${field}: ${message}`);
    throw error;
  }
}

describe('the fields of an input', () => {
  it.each(['a\nb', 'a\u0000', '\u001b[31mred', 'a\u202eb', 'a\u2028b', 'a\u0085b', 'half \ud800'])(
    'refuses control and direction characters in text: %j',
    (description) => {
      expect(faultsOf((fields) => fields.description(), { description })).not.toEqual([]);
    },
  );

  it('counts a description in characters, not in code units', () => {
    expect(faultsOf((fields) => fields.description(), { description: '🚢'.repeat(500) })).toEqual(
      [],
    );
    expect(
      faultsOf((fields) => fields.description(), { description: '🚢'.repeat(501) }),
    ).toHaveLength(1);
  });

  it('refuses a description that holds a token, and does not repeat it', () => {
    const token = newToken('abcdefghijkl');
    const faults = faultsOf((fields) => fields.description(), { description: `use ${token}` });
    expect(faults).toHaveLength(1);
    expect(faults.join()).not.toContain(token);
  });

  it('cuts foreign values and takes their control characters away before it shows them', () => {
    const [fault = ''] = faultsOf((fields) => fields.name('name'), {
      name: `\u001b[2J${'x'.repeat(5000)}`,
    });
    expect(fault).not.toContain('\u001b');
    expect(fault.length).toBeLessThan(300);
  });

  it.each([null, 7, 'text', [], undefined])('takes %j for no input at all', (input) => {
    expect(faultsOf(() => {}, input, [])).toContain('input: must be an object');
  });

  it('knows no field by way of a prototype', () => {
    expect(faultsOf((fields) => fields.name('constructor'), {}, ['constructor'])).toEqual([
      'constructor: is missing',
    ]);
    expect(faultsOf(() => {}, JSON.parse('{"__proto__": 1}'), [])).toEqual([
      '__proto__: is not a known field',
    ]);
  });

  it.each(['2030-01-01', '2030-01-01T00:00:00', '2030-13-01T00:00:00Z', 'tomorrow', '1e9', ''])(
    'takes %j for no moment',
    (at) => {
      expect(faultsOf((fields) => fields.expiry('at', 0), { at })).toHaveLength(1);
    },
  );
});
