import type { HeaderChange } from '../config/sections/headers.ts';
import { Fields } from '../http/fields.ts';
import { isRemoved } from '../http/removed-fields.ts';

/**
 * What the configuration sets on requests, and takes off them: worked out once, when it is loaded.
 * The values hold credentials: they go into a request's head and nowhere else.
 */
export class FieldRules {
  /** Lower-case names that a client's field of is not passed on. */
  readonly #names: ReadonlySet<string>;
  readonly #fields: Fields;

  constructor(names: ReadonlySet<string>, fields: Fields) {
    this.#names = names;
    this.#fields = fields;
  }

  /** @param lower a field name in lower case */
  touches(lower: string): boolean {
    return this.#names.has(lower);
  }

  /** What is set. */
  get fields(): Fields {
    return this.#fields;
  }
}

/** Of one upstream. */
export interface UpstreamFieldRules {
  /** For routes that say nothing themselves, and for health checks. */
  readonly own: FieldRules | null;
  /** By the name of the route. */
  readonly byRoute: ReadonlyMap<string, FieldRules>;
}

/**
 * Both together; null when neither says anything. The route's word on a field counts before the
 * upstream's. Throws a `TypeError` for a field that is not the configuration's to decide about; the
 * configuration reports it with its line before it comes to this.
 */
export function fieldRules(
  upstream: HeaderChange | null,
  route: HeaderChange | null,
): FieldRules | null {
  const set = new Map<string, { readonly name: string; readonly value: string } | null>();
  for (const change of [upstream, route]) {
    for (const name of change?.remove ?? []) set.set(checked(name), null);
    for (const { name, value } of change?.set ?? [])
      set.set(checked(name), { name, value: value.reveal() });
  }
  if (set.size === 0) return null;
  const fields = new Fields();
  for (const field of set.values()) if (field !== null) fields.add(field.name, field.value);
  return new FieldRules(new Set(set.keys()), fields);
}

function checked(name: string): string {
  const fault = fieldNameFault(name);
  if (fault !== null) throw new TypeError(`header ${name}: ${fault}`);
  return name.toLowerCase();
}

/**
 * Why a field cannot be set or taken off by the configuration, or null: identity, framing and what
 * is one connection's business are the gate's own (removed-fields.ts).
 */
export function fieldNameFault(name: string): string | null {
  const lower = name.toLowerCase();
  if (lower === 'host') return 'the Host of requests to an upstream is set by its key host';
  return isRemoved(lower) || lower === 'via' || lower === 'max-forwards'
    ? 'the gate itself decides about this field: it says who calls, by which way, or how the message is read'
    : null;
}

/** The rules of an upstream for itself and its routes; null when there are none. */
export function upstreamFieldRules(
  upstream: HeaderChange | null,
  routes: readonly { readonly name: string; readonly headers: HeaderChange | null }[],
): UpstreamFieldRules | null {
  const own = fieldRules(upstream, null);
  const byRoute = new Map<string, FieldRules>();
  for (const { name, headers } of routes) {
    const rules = headers === null ? null : fieldRules(upstream, headers);
    if (rules !== null) byRoute.set(name, rules);
  }
  return own === null && byRoute.size === 0 ? null : { own, byRoute };
}

/** What counts for a route. */
export function rulesFor(rules: UpstreamFieldRules | null, route: string): FieldRules | null {
  return rules === null ? null : (rules.byRoute.get(route) ?? rules.own);
}
