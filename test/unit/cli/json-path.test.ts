import { describe, expect, it } from 'vitest';
import { missedAt, readJsonPath, valuesAt } from '../../../src/cli/output/json-path.ts';

const DOCUMENT = {
  accounts: [
    { name: 'ci', teams: [{ team: 'a' }, { team: 'b' }] },
    { name: 'nightly', teams: [], 'token-file': 'x', 'a.b': 1 },
  ],
  next: null,
};

describe('a path into JSON', () => {
  it.each([
    ['{.accounts[*].name}', ['ci', 'nightly']],
    ['$.accounts[*].name', ['ci', 'nightly']],
    ['accounts[*].name', ['ci', 'nightly']],
    ['.accounts[0].teams[*].team', ['a', 'b']],
    [".accounts[-1]['name']", ['nightly']],
    ['.accounts[*].token-file', ['x']],
    ['.accounts[1]["a.b"]', [1]],
    ['.next', [null]],
    ['{.accounts.*.name}', ['ci', 'nightly']],
    ['$', [DOCUMENT]],
    ['.accounts[7].name', []],
    ['.accounts.name', []],
    ['.accounts.length', []],
    ['.toString', []],
    ['.next.name', []],
  ])('%s finds what stands there', (text, found) => {
    const path = readJsonPath(text);
    expect(path).not.toBeNull();
    expect(valuesAt(path!, DOCUMENT)).toEqual(found);
  });

  it.each([
    ['.acounts[*].name', { name: 'acounts', names: ['accounts', 'next'] }],
    ['.accounts.name', { name: 'name', names: ['[*]'] }],
    ['.accounts[*].id', { name: 'id', names: ['name', 'teams', 'token-file', 'a.b'] }],
    ['.accounts[1].teams[*].team', null],
    ['.accounts[*].name', null],
  ])('%s that leads nowhere says what is there', (text, missed) => {
    expect(missedAt(readJsonPath(text)!, DOCUMENT)).toEqual(missed);
  });

  it.each([
    '.accounts[',
    '.accounts[?(@.name)]',
    '..name',
    '.accounts[0:2]',
    '{range .accounts[*]}',
    '.a b',
    `.${'a'.repeat(1_000)}`,
  ])('%j is refused', (text) => {
    expect(readJsonPath(text)).toBeNull();
  });
});
