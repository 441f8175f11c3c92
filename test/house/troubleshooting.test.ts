import { describe, expect, it } from 'vitest';
import { REFUSALS } from '../../src/refusal.ts';
import { projectFiles, read } from './tree.ts';

const DOCUMENTS = ['docs/TROUBLESHOOTING.md', 'docs/LOG.md'];
const sources = projectFiles('src').filter((path) => path.endsWith('.ts'));

/** What stands in the first cell of a table, as code; `…` is whatever differs. */
const entries = DOCUMENTS.flatMap((path) =>
  [...read(path).matchAll(/^\| (?:`` (.+?) ``|``(.+?) ``|`([^`\n]+)`) \|/gm)].map(
    ([, one, two, three]) => (one ?? two ?? three ?? '').trim(),
  ),
);

describe('troubleshooting', () => {
  it('has an entry for each reason of a refusal', () => {
    expect(Object.keys(REFUSALS).filter((reason) => !entries.includes(reason))).toEqual([]);
  });

  it('has an entry for each line that the program writes into its log', () => {
    const lines = sources.flatMap((path) => linesOf(read(path)).map((line) => ({ path, line })));
    expect(lines.length).toBeGreaterThan(90);
    const told = entries.map(patternOf);
    const missing = lines.filter(({ line }) => !told.some((pattern) => pattern.test(line)));
    expect(missing.map(({ path, line }) => `${path}: ${line}`)).toEqual([]);
  });

  it('has no entry for a line that nobody writes any more', () => {
    const all = sources.map((path) => read(path).replace(/\s+/g, ' ')).join('\n');
    const gone = entries.filter((entry) =>
      entry.split('…').some((piece) => !all.includes(piece.trim())),
    );
    expect(gone).toEqual([]);
  });
});

describe('the reading of log lines', () => {
  it('sees texts, templates, both arms of a choice, and calls over several lines', () => {
    const source = [
      "log.info('the gate is open', { ready });",
      `parts.log.warn(\n  isOne\n    ? \`all of \${name} are taken\`\n    : 'some are',\n  { name },\n);`,
      "else this.#log.error('it failed', { error });",
      'log.warn(note);',
    ].join('\n');
    expect(linesOf(source)).toEqual([
      'the gate is open',
      'all of … are taken',
      'some are',
      'it failed',
    ]);
  });

  it('reads an entry as a pattern', () => {
    expect('all connections of … are taken').toMatch(patternOf('all … are taken'));
    expect('all connections are taken, too').not.toMatch(patternOf('all … are taken'));
  });
});

/**
 * The texts of the first argument of each call of a log; `…` for what a template is filled with.
 */
function linesOf(source: string): string[] {
  return [...source.matchAll(/\blog\??\.(?:debug|info|warn|error)\(/g)].flatMap((call) => {
    const rest = source.slice(call.index + call[0].length);
    const lines: string[] = [];
    const text =
      /^\s*(?:[\w.#!()\s]+(?:===|!==)?[\w\s.]*\?|:)?\s*(?:'((?:[^'\\]|\\.)*)'|`((?:[^`\\]|\\.)*)`)/;
    for (let left = rest, found = text.exec(left); found !== null; found = text.exec(left)) {
      lines.push((found[1] ?? found[2] ?? '').replace(/\$\{[^}]*\}/g, '…').replaceAll("\\'", "'"));
      left = left.slice(found[0].length);
      if (!/^\s*:/.test(left)) break;
    }
    return lines;
  });
}

function patternOf(entry: string): RegExp {
  return new RegExp(`^${entry.split('…').map(RegExp.escape).join('.*')}$`);
}
