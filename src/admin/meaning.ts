import type * as z from 'zod';
import { isName } from '../account/model.ts';
import { NO_ROLE } from '../account/role.ts';
import { type Fault, invalid } from './error.ts';
import { shown } from './faults.ts';
import { fieldAt } from './input.ts';
import type { Records } from './records.ts';
import { meanings } from './schemas/words.ts';

/**
 * What only the registry and the clock can tell of an input whose form is right: the roles and
 * teams that it names must be there, and an expiry must not have passed.
 */
export function mustMean(
  shape: z.core.$ZodShape,
  input: object,
  records: Records,
  nowMs: number,
): void {
  const faults = meaningFaults(shape, input, records, nowMs);
  if (faults.length > 0) throw invalid(faults);
}

/** Also of an input whose form is wrong in places: those have their fault already. */
export function meaningFaults(
  shape: z.core.$ZodShape,
  input: object,
  records: Records,
  nowMs: number,
): readonly Fault[] {
  const faults: Fault[] = [];
  const look = (schema: z.core.$ZodType, value: unknown, path: readonly PropertyKey[]): void => {
    if (value === undefined || value === null) return;
    const means = meanings.get(schema)?.means;
    const message = means === undefined ? null : FAULT_OF[means](value, records, nowMs);
    if (message !== null) faults.push({ field: fieldAt(path), message });
    const { def } = schema._zod as { readonly def: Partial<Inner> };
    if (def.innerType !== undefined) look(def.innerType, value, path);
    if (def.element !== undefined && Array.isArray(value))
      for (const [index, item] of value.entries()) look(def.element, item, [...path, index]);
    if (def.shape !== undefined) lookInto(def.shape, Object(value), path);
  };
  const lookInto = (fields: z.core.$ZodShape, value: object, path: readonly PropertyKey[]) => {
    for (const [field, schema] of Object.entries(fields))
      if (Object.hasOwn(value, field))
        look(schema, (value as Record<string, unknown>)[field], [...path, field]);
  };
  lookInto(shape, input, []);
  return faults;
}

/** Whether any of these fields means something that only the registry and the clock know. */
export function hasMeaning(shape: z.core.$ZodShape): boolean {
  const means = (schema: z.core.$ZodType): boolean => {
    const {
      innerType,
      element,
      shape: fields = {},
    } = (schema._zod as { readonly def: Partial<Inner> }).def;
    const inside = [innerType, element, ...Object.values(fields)];
    return meanings.has(schema) || inside.some((one) => one !== undefined && means(one));
  };
  return Object.values(shape).some(means);
}

/** What a schema is made of, as far as a meaning may be inside. */
interface Inner {
  readonly innerType: z.core.$ZodType;
  readonly element: z.core.$ZodType;
  readonly shape: z.core.$ZodShape;
}

type Meaning = (value: unknown, records: Records, nowMs: number) => string | null;

const FAULT_OF: Readonly<Record<'role' | 'team' | 'future', Meaning>> = {
  role: (value, { roles }) => {
    if (typeof value !== 'string' || !isName(value) || value === NO_ROLE || roles.has(value))
      return null;
    const known = [NO_ROLE, ...roles.keys()];
    const some = known.slice(0, 10).join(', ') + (known.length > 10 ? ', …' : '');
    return `there is no role named ${shown(value)}; there are ${some}`;
  },
  team: (value, { teams }) =>
    typeof value !== 'string' || !isName(value) || teams.has(value)
      ? null
      : `there is no team named ${shown(value)}`,
  future: (value, _records, nowMs) =>
    typeof value === 'string' && Date.parse(value) <= nowMs
      ? `${shown(value)} is not in the future`
      : null,
};
