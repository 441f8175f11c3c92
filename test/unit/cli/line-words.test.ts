import { expect, it } from 'vitest';
import { wordsOf } from '../../../src/cli/line-words.ts';

const words = (line: string) => wordsOf(line, '/home/node');

it('reads a line as a shell would', () => {
  expect(words('sallyport account show --config a.yaml ci')).toEqual([
    'sallyport',
    'account',
    'show',
    '--config',
    'a.yaml',
    'ci',
  ]);
  expect(words(`--config "a b.yaml" --server='https://x:1' c\\ d`)).toEqual([
    '--config',
    'a b.yaml',
    '--server=https://x:1',
    'c d',
  ]);
  expect(words('--config ~/a.yaml "~/b"')).toEqual(['--config', '/home/node/a.yaml', '~/b']);
  expect(words(`"a \\"b\\" \\$c"`)).toEqual(['a "b" $c']);
  expect(words('')).toEqual([]);
});

it('knows what only the shell knows', () => {
  for (const word of ['$HOME/x', '"$FILE"', '`pwd`', '$(pwd)', 'a*', 'x;y', "'open", '"open'])
    expect(words(word), word).toContain(null);
  expect(words("'$FILE'")).toEqual(['$FILE']);
});
