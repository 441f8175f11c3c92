import { afterEach, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { readJsonPath } from '../../../src/cli/output/json-path.ts';
import { nameBy, printAs, printed, printedLine } from '../../../src/cli/output/printing.ts';
import { Secret } from '../../../src/config/secret.ts';

const command = {};
const told = {
  accounts: [
    { name: 'ci', description: 'yes: \u0007 # "x"', left: undefined },
    { name: 'b', description: '1e3' },
  ],
  password: new Secret('hush'),
};
const plain = JSON.parse(JSON.stringify(told)) as unknown;

afterEach(() => printAs(command, null));

describe('a result', () => {
  it('is the same in YAML as in JSON, with secrets masked in both', () => {
    printAs(command, { kind: 'yaml' });
    expect(parse(printed(told))).toEqual(plain);
    expect(printed(told)).not.toContain('hush');
    expect(printed(told)).not.toContain('\u0007');
    printAs(command, { kind: 'json' });
    expect(JSON.parse(printed(told))).toEqual(plain);
  });

  it('shows in every form what of its texts nobody could see', () => {
    const text = 'C1 \u009b31m, bidi \u202e, tag \u{e0041}, line \u2028, end';
    const strange = { [text]: text, list: [`two\nlines ${text}`], plain: 'one\ntwo' };
    const unseen = /[^\P{Cc}\n]|\p{Cf}|\u2028/u;
    for (const kind of ['json', 'yaml'] as const) {
      printAs(command, { kind });
      expect(printed(strange)).not.toMatch(unseen);
      expect(parse(printed(strange))).toEqual(strange);
    }
    printAs(command, { kind: 'jsonpath', path: readJsonPath('.list')! });
    expect(printed(strange)).not.toMatch(unseen);
    expect(JSON.parse(printed(strange))).toEqual(strange.list);
  });

  it('is its names, where the command says where they are', () => {
    nameBy(command, ({ accounts }: typeof told) => accounts.map(({ name }) => name));
    printAs(command, { kind: 'name' });
    expect(printed(told)).toBe('ci\nb');
    expect(printed({ accounts: [] })).toBe('');
  });

  it('is what stands at a path: texts as they are, all else in JSON', () => {
    printAs(command, { kind: 'jsonpath', path: readJsonPath('.accounts[*].name')! });
    expect(printed(told)).toBe('ci\nb');
    printAs(command, { kind: 'jsonpath', path: readJsonPath('.accounts[1]')! });
    expect(printed(told)).toBe('{"name":"b","description":"1e3"}');
  });

  it('is one document of YAML each, where there are many one after the other', () => {
    printAs(command, { kind: 'yaml' });
    const text = [{ a: 1 }, { a: '2' }].map((one) => printedLine(JSON.stringify(one))).join('\n');
    expect(parseAllDocuments(text).map((one) => (one as { toJS(): unknown }).toJS())).toEqual([
      { a: 1 },
      { a: '2' },
    ]);
  });
});
