import * as z from 'zod';

/** What goes in beside the body: it arrives as text. */

const yes = z.codec(z.enum(['true', 'false']), z.boolean(), {
  decode: (text) => text === 'true',
  encode: (value) => (value ? 'true' : 'false'),
});

/** The parameters of a query, of fields as administration takes them. */
export function queryOf<const Shape extends z.core.$ZodLooseShape>(
  shape: Shape,
): z.ZodObject<Shape, z.core.$strict> {
  const fields = Object.entries(shape).map(([name, field]) => [name, fromText(field)]);
  return z.strictObject(Object.fromEntries(fields)) as never;
}

/** The same field, as text. */
function fromText(field: z.core.$ZodType): z.ZodType {
  const { inner, isOptional } = unwrapped(field);
  const about = (field as z.ZodType).description;
  const text = asText(inner);
  const said = isOptional ? text.optional() : text;
  return about === undefined ? said : said.describe(about);
}

/** Null cannot be said in a query: what is null is left out. */
function unwrapped(field: z.core.$ZodType): {
  readonly inner: z.ZodType;
  readonly isOptional: boolean;
} {
  const { def } = field._zod;
  if (def.type !== 'optional' && def.type !== 'nullable')
    return { inner: field as z.ZodType, isOptional: false };
  const { innerType } = def as unknown as { readonly innerType: z.core.$ZodType };
  return { ...unwrapped(innerType), isOptional: true };
}

function asText(field: z.ZodType): z.ZodType {
  if (field instanceof z.ZodBoolean) return yes;
  if (!(field instanceof z.ZodNumber)) return field;
  const { minValue, maxValue } = field;
  const error = `must be a whole number from ${minValue} to ${maxValue}`;
  return z.codec(z.string().regex(/^\d{1,9}$/, error), field, { decode: Number, encode: String });
}
