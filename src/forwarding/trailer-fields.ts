import { Fields } from '../http/fields.ts';
import { mayTrail, type Trailers } from '../http/trailers.ts';
import type { FieldRules } from './field-rules.ts';

/**
 * What of the fields behind a message's content is passed on, in either direction. All else is
 * dropped, as it is dropped from heads: nobody can say by a trailer what a head may not say.
 *
 * @param nominated lower-cased names that `Connection` in the head of the message declares to be
 * for its connection only (RFC 9110 §7.6.1)
 * @param rules what the configuration sets on requests, and takes off; null = nothing
 * @returns null when nothing is left
 */
export function passedTrailers(
  { names, values }: Trailers,
  nominated: readonly string[],
  rules: FieldRules | null,
): Fields | null {
  let fields: Fields | null = null;
  for (let index = 0; index < names.length; index += 1) {
    const name = names[index]!;
    if (!mayTrail(name) || nominated.includes(name.lower)) continue;
    if (rules?.touches(name.lower) === true) continue;
    fields ??= new Fields();
    fields.add(name.text, values[index]!);
  }
  return fields;
}
