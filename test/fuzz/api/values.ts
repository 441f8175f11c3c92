import type { Random } from '../random.ts';

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

/**
 * Names and moments that mean something to the gate under test, by the field that they stand in;
 * what is refused is in the second half.
 */
export type Pools = Readonly<Record<string, readonly unknown[]>>;

const STRANGE_TEXTS = [
  '',
  ' ',
  '\u0000',
  '\u202eevil',
  '<script>alert(1)</script>',
  "' OR 1=1 --",
  '../../etc/passwd',
  '%00',
  '__proto__',
  'constructor',
  '\ud800',
  'é',
  '😀'.repeat(200),
  'x'.repeat(5_000),
  '-1',
  '1e9',
  '99999999999999999999',
  'null',
  'slp_000000000000_0000000000000000000000000000000000000000000000000',
];

const STRANGE_VALUES = [
  null,
  true,
  0,
  -1,
  1.5,
  1e300,
  [],
  {},
  [[]],
  [null],
  { a: 1 },
  ...STRANGE_TEXTS,
];

/** A value that is taken whole from a pool: the schema says nothing of what is in it. */
function isChosen({ type, properties }: Schema): boolean {
  return type === 'object' ? properties === undefined : type !== 'array';
}

/** Values made from schemas: such as they ask for, or, now and then, of another kind. */
export class Values {
  readonly #random: Random;
  readonly #schemas: Readonly<Record<string, Schema>>;
  readonly #pools: Pools;

  constructor(random: Random, schemas: Readonly<Record<string, Schema>>, pools: Pools) {
    this.#random = random;
    this.#schemas = schemas;
    this.#pools = pools;
  }

  /** @param odd probability, at each place, of something that the schema does not ask for */
  make(schema: Schema, odd: number, field = ''): unknown {
    if (this.#random.chance(odd)) return this.#random.pick(STRANGE_VALUES);
    const resolved = this.#resolve(schema);
    if (resolved.enum !== undefined) return this.#random.pick(resolved.enum);
    if (resolved.anyOf !== undefined)
      return this.make(this.#random.pick(resolved.anyOf), odd, field);
    const pool = this.#pools[field];
    if (pool !== undefined && isChosen(resolved))
      return this.#random.pick(odd === 0 ? pool.slice(0, Math.ceil(pool.length / 2)) : pool);
    switch (resolved.type) {
      case 'object':
        return this.#object(resolved, odd);
      case 'array':
        return Array.from({ length: this.#random.below(4) }, () =>
          this.make(resolved.items ?? {}, odd, field),
        );
      case 'integer':
      case 'number':
        return (
          (resolved.minimum ?? 0) +
          this.#random.below(
            Math.min(1_000, (resolved.maximum ?? 1_000) - (resolved.minimum ?? 0) + 1),
          )
        );
      case 'boolean':
        return this.#random.chance(0.5);
      case 'null':
        return null;
      default:
        return resolved.pattern?.includes('\\d') === true
          ? String(1 + this.#random.below(50))
          : `text-${this.#random.below(1_000)}`;
    }
  }

  #object({ properties = {}, required = [] }: Schema, odd: number): Record<string, unknown> {
    const made: Record<string, unknown> = {};
    for (const [name, schema] of Object.entries(properties)) {
      const left = required.includes(name)
        ? this.#random.chance(odd / 3)
        : this.#random.chance(0.5);
      if (!left) made[name] = this.make(schema, odd, name);
    }
    if (this.#random.chance(odd / 3))
      made[this.#random.pick(['extra', '__proto__', 'version', 'id'])] = 1;
    return made;
  }

  #resolve(schema: Schema): Schema {
    const name = schema.$ref?.split('/').at(-1);
    return name === undefined ? schema : (this.#schemas[name] ?? {});
  }
}
