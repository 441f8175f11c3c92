/**
 * The part of JSONPath (RFC 9535) that picks values by their place: `.name`, `['name']`, `[0]`,
 * `[-1]`, `[*]`, `.*`. Read as kubectl reads it too: braces around it, and no `$` before it.
 */
export type JsonPath = readonly Step[];

type Step =
  | { readonly kind: 'member'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'all' };

/** Characters of a path. */
const LENGTH_MOST = 1_000;

const STEP =
  /\.?\[(?:'(?<single>[^']*)'|"(?<double>[^"]*)"|(?<index>-?\d{1,9})|(?<each>\*))\]|\.(?:(?<name>[\p{L}_$][\p{L}\p{N}_$-]*)|(?<every>\*))/uy;

/** Null: it is none, or one that picks by more than the place. */
export function readJsonPath(text: string): JsonPath | null {
  const bare = text.replace(/^\{(.*)\}$/s, '$1').replace(/^\$/, '');
  if (text.length > LENGTH_MOST) return null;
  const path = /^[.[]/.test(bare) ? bare : `.${bare}`;
  if (path === '.') return [];
  const steps: Step[] = [];
  for (let at = 0; at < path.length; at = STEP.lastIndex) {
    STEP.lastIndex = at;
    const found = STEP.exec(path)?.groups;
    if (found === undefined) return null;
    steps.push(stepOf(found));
  }
  return steps;
}

function stepOf({ name, single, double, index }: Partial<Record<string, string>>): Step {
  const member = name ?? single ?? double;
  if (member !== undefined) return { kind: 'member', name: member };
  return index === undefined ? { kind: 'all' } : { kind: 'index', index: Number(index) };
}

/** Every value at that place, in the order of the document; none where there is no such place. */
export function valuesAt(path: JsonPath, value: unknown): readonly unknown[] {
  return path.reduce<readonly unknown[]>((values, step) => values.flatMap(below(step)), [value]);
}

/**
 * Where the path leads past the end although there is something before it: the name that is not
 * there, and those that are. Null: it leads to values, or past an empty list.
 */
export function missedAt(
  path: JsonPath,
  value: unknown,
): { readonly name: string; readonly names: readonly string[] } | null {
  let values: readonly unknown[] = [value];
  for (const step of path) {
    const next = values.flatMap(below(step));
    if (next.length === 0)
      return step.kind === 'member' && values.length > 0
        ? { name: step.name, names: [...new Set(values.flatMap(namesIn))] }
        : null;
    values = next;
  }
  return null;
}

function namesIn(value: unknown): readonly string[] {
  if (Array.isArray(value)) return ['[*]'];
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}

function below(step: Step): (value: unknown) => readonly unknown[] {
  return (value) => {
    if (typeof value !== 'object' || value === null) return [];
    if (step.kind === 'all') return Object.values(value);
    const isList = Array.isArray(value);
    if (step.kind === 'index') {
      const found: unknown = isList ? value.at(step.index) : undefined;
      return found === undefined ? [] : [found];
    }
    return !isList && Object.hasOwn(value, step.name)
      ? [(value as Readonly<Record<string, unknown>>)[step.name]]
      : [];
  };
}
