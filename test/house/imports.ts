import { posix } from 'node:path';
import { projectFiles, read } from './tree.ts';

export interface Import {
  /** The importing file, `src/...`. */
  readonly from: string;
  /**
   * A file of ours (`src/...`) or the name of a package or of a part of Node (`node:net`, `hono`).
   */
  readonly to: string;
  readonly ours: boolean;
}

const STATIC = /^\s*(?:import|export)\b[^;'"]*?\bfrom\s*['"]([^'"]+)['"]/gm;
const BARE = /^\s*import\s*['"]([^'"]+)['"]/gm;
const DYNAMIC = /\b(?:import|require)\s*\(\s*(['"]([^'"]+)['"])?/g;
/** Type positions: `typeof import('x')`. Caught by DYNAMIC as well. */
const WORKER = /new Worker\(\s*new URL\(\s*['"]([^'"]+)['"]/g;

/** All imports of src, types included: what a file's types need, it knows about. */
export function importsOfSource(): Import[] {
  return projectFiles('src')
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) => importsOf(path, read(path)));
}

/** Throws on an import whose target is computed: nobody could say what it reaches. */
export function importsOf(path: string, source: string): Import[] {
  const text = withoutComments(source);
  const names = [STATIC, BARE, WORKER].flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => match[1]!),
  );
  for (const match of text.matchAll(DYNAMIC)) {
    if (match[2] === undefined) throw new Error(`${path}: an import with a computed target`);
    names.push(match[2]);
  }
  return names.map((name) => {
    const ours = name.startsWith('.');
    return {
      from: path,
      to: ours ? posix.normalize(posix.join(posix.dirname(path), name)) : packageOf(name),
      ours,
    };
  });
}

/** `src/http/target.ts` -> `wire`; `src/clock.ts` -> `clock`. */
export function roomOf(path: string): string {
  return path.replace(/^src\//, '').replace(/\/.*$|\.ts$/, '');
}

function packageOf(name: string): string {
  if (name.startsWith('node:')) return name;
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
}

/**
 * Comments at the beginning of a line and block comments: enough for prose that speaks of imports.
 */
function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}
