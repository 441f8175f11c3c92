import {
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

/** A YAML text as plain values, with the place of every key, and every scalar as it was written. */
export class YamlSource {
  /** Not readable as YAML: nothing else can be said about the file then. */
  readonly syntaxFaults: readonly Fault[];
  /** Duplicate keys, variables that are not set, and the like: the rest of the file can still be checked. */
  readonly faults: { readonly path: ConfigPath; readonly message: string }[] = [];
  /** Maps, lists and scalars; `${VARIABLE}` replaced. */
  readonly value: unknown;
  readonly #document: Document;
  readonly #environment: Environment;
  readonly #lines = new LineCounter();
  /** Offset in the text by path. */
  readonly #offsets = new Map<string, number>();
  readonly #written = new Map<string, string>();
  #nodesLeft = MAX_NODES;

  constructor(text: string, environment: Environment) {
    this.#environment = environment;
    // Duplicate keys are looked for in the walk: there they get a path, and cost no quadratic search.
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      version: '1.2',
      schema: 'core',
      stringKeys: true,
      uniqueKeys: false,
      prettyErrors: false,
    });
    this.syntaxFaults = [...this.#document.errors, ...this.#document.warnings].map(({ pos, message }) => ({
      ...this.#at(pos[0]),
      path: '',
      message: `not valid YAML: ${message}`,
    }));
    this.value = this.syntaxFaults.length === 0 ? this.#read(this.#document.contents, []) : null;
  }

  /** The place of a key or list item; of what would hold it, when it is not there. */
  place(path: ConfigPath): { readonly line: number; readonly column: number } {
    for (let length = path.length; length > 0; length--) {
      const offset = this.#offsets.get(JSON.stringify(path.slice(0, length)));
      if (offset !== undefined) return this.#at(offset);
    }
    return { line: 1, column: 1 };
  }

  /** A scalar as it stands in the file, before variables were replaced: safe to repeat in a message. */
  written(path: ConfigPath): string {
    return this.#written.get(JSON.stringify(path)) ?? '';
  }

  #at(offset: number): { readonly line: number; readonly column: number } {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  #note(path: ConfigPath, node: unknown): void {
    const range = (node as { range?: readonly [number, number, number] | null } | null)?.range;
    const key = JSON.stringify(path);
    if (range !== null && range !== undefined && !this.#offsets.has(key)) this.#offsets.set(key, range[0]);
  }

  /** The depth is bounded as well: an alias may stand inside its own anchor. */
  #read(node: unknown, path: ConfigPath): unknown {
    this.#note(path, node);
    if (this.#nodesLeft-- <= 0 || path.length > MAX_DEPTH) return this.#tooBig(path);
    if (isAlias(node)) return this.#read(node.resolve(this.#document), path);
    if (isMap(node)) return this.#readMap(node, path);
    if (isSeq(node)) return node.items.map((item, index) => this.#read(item, [...path, index]));
    return isScalar(node) ? this.#readScalar(node, path) : null;
  }

  #tooBig(path: ConfigPath): null {
    if (this.#nodesLeft >= 0 || this.#nodesLeft === -1)
      this.faults.push({ path, message: 'nested too deeply, or aliases that grow without end' });
    return null;
  }

  #readMap(map: YAMLMap, path: ConfigPath): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    for (const { key, value } of map.items as Pair<Scalar<string>, unknown>[]) {
      const name = String(key.value);
      const here = [...path, name];
      this.#note(here, key);
      if (name === '__proto__') this.faults.push({ path: here, message: 'unknown key' });
      else if (Object.hasOwn(result, name)) this.faults.push({ path: here, message: 'the key is given twice' });
      else result[name] = this.#read(value, here);
    }
    return result;
  }

  #readScalar(node: Scalar, path: ConfigPath): unknown {
    if (typeof node.value !== 'string') return node.value;
    this.#written.set(JSON.stringify(path), node.value);
    const { text, faults } = substitute(node.value, this.#environment);
    this.faults.push(...faults.map((message) => ({ path, message })));
    return text;
  }
}
