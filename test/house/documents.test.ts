import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REFUSALS } from '../../src/refusal.ts';
import { projectFiles, ROOT, read } from './tree.ts';

const documents = projectFiles().filter((path) => path.endsWith('.md'));
const COLUMNS = 100;
const commented = projectFiles().filter((path) => /^(config|src|test)\/.*\.ts$/.test(path));
/** A line that is a comment and no more. What a tool reads cannot be broken. */
const COMMENT = /^\s*(\*|\/\/|\/\*)(?! ?biome-ignore)/;
const scripts = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts;

describe('the documents', () => {
  it('link to files and headings that exist', () => {
    expect(documents.flatMap(brokenLinksOf)).toEqual([]);
  });

  it('name only files of ours that exist; what has changed since is history', () => {
    const present = documents.filter((path) => path !== 'CHANGELOG.md');
    const gone = present.flatMap((path) =>
      [...read(path).matchAll(/`((?:[\w.-]+\/)+[\w.-]+\.(?:ts|lua))`/g)]
        .map((match) => match[1]!)
        .filter((file) => ![file, `src/${file}`, join(dirname(path), file)].some(isThere))
        .map((file) => `${path}: ${file}`),
    );
    expect(gone).toEqual([]);
  });

  it('name only npm scripts that exist', () => {
    const unknown = documents.flatMap((path) =>
      scriptsNamedIn(read(path))
        .filter((name) => scripts[name] === undefined)
        .map((name) => `${path}: npm run ${name}`),
    );
    expect(unknown).toEqual([]);
  });
});

describe('the refusals', () => {
  it('stand in the table for callers, each by the reason that its caller sees', () => {
    const shown = Object.entries(REFUSALS).map(([reason, kind]) =>
      'publicReason' in kind ? kind.publicReason : reason,
    );
    const table =
      read('docs/CALLS.md')
        .match(/^\| [345]\d\d.*$/gm)
        ?.join('\n') ?? '';
    expect([...new Set(shown)].filter((reason) => !table.includes(`\`${reason}\``))).toEqual([]);
  });

  it('leave the way of a request where ARCHITECTURE.md draws it, each by its status', () => {
    const drawing = /```\n client[\s\S]*?```/.exec(read('ARCHITECTURE.md'))?.[0] ?? '';
    const text = `${drawing}${read('ARCHITECTURE.md').split('From 3 on')[1]?.split('\n\n')[0]}`;
    const drawn = new Set(text.match(/\b[45]\d\d\b/g));
    const statuses = Object.values(REFUSALS).map(({ status }) => String(status));
    expect([...new Set(statuses)].filter((status) => !drawn.has(status))).toEqual([]);
  });
});

describe('the lines of documents and comments', () => {
  it('have at most 100 columns; tables and what cannot be broken have as many as they need', () => {
    const text = /^(?!\|)\s*\S+\s+\S/;
    expect(documents.flatMap((path) => longLinesOf(path, text))).toEqual([]);
    expect(commented.flatMap((path) => longLinesOf(path, COMMENT))).toEqual([]);
  });
});

describe('the decisions', () => {
  const files = projectFiles('docs/decisions');
  const linked = [...read('ARCHITECTURE.md').matchAll(/\]\((docs\/decisions\/[^)]+)\)/g)];

  it('are listed in ARCHITECTURE.md, each once, in their order', () => {
    const numbered = files.filter((path) => /\/\d{3}-[a-z0-9-]+\.md$/.test(path));
    expect(numbered.length).toBeGreaterThan(50);
    expect(linked.map((match) => match[1])).toEqual(numbered);
  });

  it('have a number each, and say in their first line what was decided', () => {
    const numbers = files.flatMap((path) => /\/(\d{3})-/.exec(path)?.[1] ?? []);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(files.filter((path) => !/^# \S.*\n\n\S/.test(read(path)))).toEqual([]);
  });
});

describe('the scripts', () => {
  it('start on the locked Node, never on whichever Node started npm, and leave no shell between npm and it', () => {
    // Without exec a SIGTERM to npm ends the shell, and what the shell has started lives on.
    for (const [name, command] of Object.entries(scripts))
      expect(command, name).toMatch(/^exec bin\/(with-node|sallyport)( |$)/);
  });

  it('name files that exist', () => {
    for (const [name, command] of Object.entries(scripts)) {
      for (const path of command.split(' ').filter((word) => /^(test|src|bin)\/./.test(word))) {
        expect(existsSync(join(ROOT, path)), `${name}: ${path}`).toBe(true);
      }
    }
  });
});

function isThere(path: string): boolean {
  return existsSync(join(ROOT, path));
}

function longLinesOf(path: string, which: RegExp): string[] {
  const lines = read(path).split('\n');
  return lines.flatMap((line, index) =>
    [...line].length > COLUMNS && which.test(line) ? [`${path}:${index + 1}`] : [],
  );
}

function brokenLinksOf(path: string): string[] {
  const links = [...withoutCode(read(path)).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!);
  return links
    .filter((link) => !/^[a-z]+:/i.test(link) && !reaches(path, link))
    .map((link) => `${path}: ${link}`);
}

function reaches(path: string, link: string): boolean {
  const [file = '', heading] = link.split('#');
  const target = file === '' ? path : normalize(join(dirname(path), decodeURIComponent(file)));
  if (!existsSync(join(ROOT, target))) return false;
  return (
    heading === undefined || !target.endsWith('.md') || headingsOf(read(target)).includes(heading)
  );
}

/** Headings as the anchors that GitHub makes of them. */
function headingsOf(text: string): string[] {
  const headings = [...withoutBlocks(text).matchAll(/^#{1,6} +(.+?) *$/gm)].map(
    (match) => match[1]!,
  );
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function scriptsNamedIn(text: string): string[] {
  const run = [...text.matchAll(/npm run(?: -s| --silent)? ([a-z][a-z:-]*)/g)].map(
    (match) => match[1]!,
  );
  const short = [...text.matchAll(/npm (test|start)\b/g)].map((match) => match[1]!);
  return [...run, ...short];
}

function withoutCode(text: string): string {
  return withoutBlocks(text).replace(/`[^`\n]*`/g, 'code');
}

function withoutBlocks(text: string): string {
  return text.replace(/^(```|~~~)[\s\S]*?^\1/gm, '');
}
