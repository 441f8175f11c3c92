import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseDocument,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import { type Environment, substitute } from './environment.ts';
import type { ConfigPath, Fault } from './faults.ts';

const MAX_DEPTH = 32;
/** Nodes after aliases are expanded: nested aliases cannot make a small file grow beyond this. */
const MAX_NODES = 200_000;
/** Finding an anchor takes a walk through the document each time. */
const MAX_ALIASES = 1000;

/** Both from 1 on. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A YAML text as plain values, with the place of every key, and every scalar as it was written. */
export class YamlSource {
  /** Not readable as YAML: nothing else can be said about the file then. */
  readonly syntaxFaults: readonly Fault[];
  /**
   * Duplicate keys, variables that are not set, and the like: the rest of the file can still be
   * checked.
   */
  readonly faults: (Place & { readonly path: ConfigPath; readonly message: string })[] = [];
  /** Maps, lists and scalars; `${VARIABLE}` replaced. */
  readonly value: unknown;
  readonly #document: Document;
  readonly #environment: Environment;
  readonly #lines = new LineCounter();
  /** Offset in the text by path. */
  readonly #offsets = new Map<string, number>();
  readonly #written = new Map<string, string>();
  #nodesLeft = MAX_NODES;
  #aliasesLeft = MAX_ALIASES;

  constructor(text: string, environment: Environment) {
    this.#environment = environment;
    // Duplicate keys are looked for in the walk: there they get a path, and cost no quadratic
    // search.
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      version: '1.2',
      schema: 'core',
      stringKeys: true,
      uniqueKeys: false,
      prettyErrors: false,
    });
    this.syntaxFaults = [...this.#document.errors, ...this.#document.warnings].map(
      ({ pos, message }) => ({
        ...this.#at(pos[0]),
        path: '',
        message: `not valid YAML: ${message}${this.#hint(text, pos[0])}`,
      }),
    );
    this.value = this.syntaxFaults.length === 0 ? this.#read(this.#document.contents, []) : null;
  }

  /** The place of a key or list item; of what would hold it, when it is not there. */
  place(path: ConfigPath): Place {
    for (let length = path.length; length > 0; length--) {
      const offset = this.#offsets.get(JSON.stringify(path.slice(0, length)));
      if (offset !== undefined) return this.#at(offset);
    }
    return { line: 1, column: 1 };
  }

  /**
   * A scalar as it stands in the file, before variables were replaced: safe to repeat in a message.
   */
  written(path: ConfigPath): string {
    return this.#written.get(JSON.stringify(path)) ?? '';
  }

  #at(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  /** Inside `{}` and `[]` the braces of a variable are YAML's own, unless it stands in quotes. */
  #hint(text: string, offset: number): string {
    const line = text.split('\n')[this.#at(offset).line - 1] ?? '';
    const [variable] = /(?<!["'$])\$\{[A-Za-z_][^}]*\}/.exec(line) ?? [];
    return variable === undefined ? '' : `; write "${variable}" in quotes`;
  }

  #note(path: ConfigPath, node: unknown): void {
    const offset = offsetOf(node);
    const key = JSON.stringify(path);
    if (offset !== null && !this.#offsets.has(key)) this.#offsets.set(key, offset);
  }

  #fault(path: ConfigPath, node: unknown, message: string): null {
    this.faults.push({ ...this.#at(offsetOf(node) ?? 0), path, message });
    return null;
  }

  /** The depth is bounded as well: an alias may stand inside its own anchor. */
  #read(node: unknown, path: ConfigPath): unknown {
    this.#note(path, node);
    if (path.length > MAX_DEPTH) return this.#fault(path, node, 'nested too deeply');
    // Said once, where it happened: everything after it would only repeat it.
    if (this.#nodesLeft-- <= 0)
      return this.#nodesLeft === -1
        ? this.#fault(path, node, 'larger than any configuration')
        : null;
    if (isAlias(node)) return this.#readAlias(node, path);
    if (isMap(node)) return this.#readMap(node, path);
    if (isSeq(node)) return node.items.map((item, index) => this.#read(item, [...path, index]));
    return isScalar(node) ? this.#readScalar(node, path) : null;
  }

  #readAlias(alias: Alias, path: ConfigPath): unknown {
    if (this.#aliasesLeft-- <= 0)
      return this.#aliasesLeft === -1
        ? this.#fault(path, alias, `more than ${MAX_ALIASES} aliases`)
        : null;
    const node = alias.resolve(this.#document);
    return node === undefined
      ? this.#fault(path, alias, 'there is no such anchor before it')
      : this.#read(node, path);
  }

  /**
   * Keys that begin with `x-` at the top are the file's own, for anchors to stand in. `<<` takes
   * over the keys of other maps; what stands beside it comes first.
   */
  #readMap(map: YAMLMap, path: ConfigPath): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    const merged: unknown[] = [];
    for (const { key, value } of map.items as Pair<Scalar<string>, unknown>[]) {
      const name = String(key.value);
      const here = [...path, name];
      if (path.length === 0 && name.startsWith('x-')) continue;
      if (name === '<<') {
        merged.push(...(isSeq(value) ? value.items : [value]));
        continue;
      }
      this.#note(here, key);
      if (name === '__proto__') this.#fault(here, key, 'unknown key');
      else if (Object.hasOwn(result, name)) this.#fault(here, key, 'the key is given twice');
      else result[name] = this.#read(value, here);
    }
    for (const node of merged) this.#merge(node, path, result);
    return result;
  }

  #merge(node: unknown, path: ConfigPath, result: Record<string, unknown>): void {
    const value = this.#read(node, path);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.#fault([...path, '<<'], node, 'expected an alias of a map, or a list of them');
      return;
    }
    for (const [name, child] of Object.entries(value))
      if (!Object.hasOwn(result, name)) result[name] = child;
  }

  #readScalar(node: Scalar, path: ConfigPath): unknown {
    if (typeof node.value !== 'string') return node.value;
    this.#written.set(JSON.stringify(path), node.value);
    const { text, faults } = substitute(node.value, this.#environment);
    for (const message of faults) this.#fault(path, node, message);
    return text;
  }
}

function offsetOf(node: unknown): number | null {
  return (node as { range?: readonly [number, number, number] | null } | null)?.range?.[0] ?? null;
}
