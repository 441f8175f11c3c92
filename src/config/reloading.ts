import * as z from 'zod';

/**
 * When a changed value counts. `live`: from the reload on. `restart`: a running instance keeps what
 * it has and says so. `apply`: a gate does not read it, `sallyport apply` does.
 */
export type Counts = 'live' | 'restart' | 'apply';

const declared = z.registry<{ readonly counts: Counts }>();

/** Declares a key, and all below it that is not declared otherwise. The last word on a schema. */
export function live<T extends z.ZodType>(schema: T): T {
  declared.add(schema, { counts: 'live' });
  return schema;
}

export function restart<T extends z.ZodType>(schema: T): T {
  declared.add(schema, { counts: 'restart' });
  return schema;
}

export function apply<T extends z.ZodType>(schema: T): T {
  declared.add(schema, { counts: 'apply' });
  return schema;
}

/**
 * What the schema declares of the key at a path, or of the nearest key above it; null where nothing
 * is declared or no key has that path. Items of lists and of records have any name.
 */
export function countsOf(schema: z.ZodType, path: readonly (string | number)[]): Counts | null {
  const own = declared.get(schema)?.counts ?? null;
  const [key, ...rest] = path;
  const below = (
    next: z.ZodType | undefined,
    left: readonly (string | number)[] = rest,
  ): Counts | null => (next === undefined ? null : countsOf(next, left));
  const beneath = beneathOf(schema);
  if (beneath !== null) return below(beneath, path) ?? own;
  if (key === undefined) return own;
  const { def } = (schema as z.ZodType & { _zod: { def: Def } })._zod;
  if (def.options !== undefined)
    return def.options.map((option) => below(option, path)).find((one) => one !== null) ?? own;
  return below(def.shape?.[key] ?? def.element ?? def.valueType) ?? own;
}

/** Of the kinds of schema that the configuration is made of. */
interface Def {
  readonly shape?: Readonly<Record<string | number, z.ZodType>>;
  readonly element?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly options?: readonly z.ZodType[];
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
}

/** What a default, an optional or a transformed key is made of; null for all others. */
function beneathOf(schema: z.ZodType): z.ZodType | null {
  const { def } = (schema as z.ZodType & { _zod: { def: Def } })._zod;
  return def.innerType ?? def.in ?? null;
}

/**
 * Every key that holds a value, lists and groups looked into: `listen.proxy.address`,
 * `routes.*.path`.
 */
export function keysOf(schema: z.ZodType, path: readonly string[] = []): readonly string[] {
  const beneath = beneathOf(schema);
  if (beneath !== null) return keysOf(beneath, path);
  const { def } = (schema as z.ZodType & { _zod: { def: Def } })._zod;
  if (def.shape !== undefined)
    return Object.entries(def.shape).flatMap(([key, next]) => keysOf(next, [...path, key]));
  if (def.options !== undefined) {
    const all = def.options.flatMap((option) => keysOf(option, path));
    return [...new Set(all)];
  }
  const item = def.element ?? def.valueType;
  if (item === undefined) return [path.join('.')];
  const below = keysOf(item, [...path, '*']);
  // A list of plain values is a value.
  return below.length === 1 && below[0] === [...path, '*'].join('.') ? [path.join('.')] : below;
}
