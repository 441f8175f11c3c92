import { expect, it } from 'vitest';
import { projectFiles, ROOT, read, readText } from './tree.ts';

/** The words are put together here, so that this file does not hold what it looks for. */
const LEFT_OPEN = new RegExp(
  `\\b(${['TO', 'FIX', 'XX'].map((begin, i) => begin + ['DO', 'ME', 'X'][i]).join('|')})\\b`,
);
const SINGLED_OUT = new RegExp(
  `\\b(it|test|describe)\\.(${['sk-ip', 'on-ly', 'to-do'].join('|').replaceAll('-', '')})\\b`,
);
const REGISTRY_HOSTS = /registry\.(npm|yarn)[a-z]*\.[a-z]+|\/\/(deb|security|archive|ftp)\.debian/i;
const MACHINE_PATHS = new RegExp(
  `(^|[^\\w.~$}-])/(root|work|home/(?!node\\b)[a-z]+)/|${RegExp.escape(ROOT)}/`,
);

/** Documents that anybody may read first: they use the words of the standards. */
const FIRST_READ = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'ARCHITECTURE.md'];
const GLOSSARY: readonly (readonly [pattern: RegExp, word: string])[] = [
  [/\banswer(s|ed|ing)?\b/i, 'response, reply, or what is done'],
  [/\binformational (response|answer)/i, 'interim response (RFC 9110 §15.2)'],
  [/methods? that (change|changes) something/i, 'unsafe method (RFC 9110 §9.2.1)'],
  [/\bforwarded header|\bheader fields? of identity/i, 'field (RFC 9110 §5)'],
];

const files = projectFiles();

it('names no path of the machine it was written on', () => {
  expect(linesWith(MACHINE_PATHS, files)).toEqual([]);
});

it('names no host of a package registry: whose mirror is used is for the machine to say', () => {
  expect(linesWith(REGISTRY_HOSTS, files)).toEqual([]);
});

it('leaves no note of unfinished work in the code', () => {
  expect(linesWith(LEFT_OPEN, inCode())).toEqual([]);
});

it('says in the documents that are read first what the standards say', () => {
  const wrong = FIRST_READ.flatMap((path) => {
    const lines = withoutQuotes(read(path)).split('\n');
    return lines.flatMap((line, i) =>
      GLOSSARY.filter(([pattern]) => pattern.test(line)).map(
        ([pattern, word]) => `${path}:${i + 1}: ${pattern.exec(line)?.[0]} (say ${word})`,
      ),
    );
  });
  expect(wrong).toEqual([]);
});

it('singles out no test and switches none off', () => {
  expect(linesWith(SINGLED_OUT, inCode())).toEqual([]);
});

it('would find them', () => {
  for (const folder of ['root', 'work', 'home/me'])
    expect(`cat "/${folder}/x"`).toMatch(MACHINE_PATHS);
  expect(`${ROOT}/c`).toMatch(MACHINE_PATHS);
  for (const path of ['network/x', './work/x', '/home/node/app', 'a/root/b'])
    expect(path).not.toMatch(MACHINE_PATHS);
  expect(`it.${'only'}(`).toMatch(SINGLED_OUT);
  expect(`// ${'TO'}${'DO'}: x`).toMatch(LEFT_OPEN);
  expect(`https://registry.${'npmjs'}.org`).toMatch(REGISTRY_HOSTS);
  const said = withoutQuotes('the answer `answer` "answers it"\n```\nanswer\n```');
  expect(said.match(/answer/g)).toHaveLength(1);
});

/** Code, and titles of tests in quotes, are not the document's own words. */
function withoutQuotes(text: string): string {
  const blank = (quoted: string) => quoted.replace(/[^\n]/g, '_');
  return text
    .replace(/^```[\s\S]*?^```/gm, blank)
    .replace(/`[^`\n]*`/g, blank)
    .replace(/"[^"\n]*"/g, blank);
}

function inCode(): string[] {
  return files.filter((path) => /^(src|test)\//.test(path));
}

function linesWith(pattern: RegExp, paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const lines = (readText(path) ?? '').split('\n');
    return lines.flatMap((line, i) =>
      pattern.test(line) ? [`${path}:${i + 1}: ${line.trim().slice(0, 120)}`] : [],
    );
  });
}
