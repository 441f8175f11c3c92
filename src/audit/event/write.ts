import type { AuditEvent } from './audit-event.ts';
import { FIELD_NAMES } from './fields.ts';
import { EVENT_LIMITS } from './limits.ts';
import { bounded, withVisibleEscapes } from './text.ts';

/** Of texts and lists in a record before and after; longer lists end in `…`. */
const INSIDE = { text: 4096, list: 2000 } as const;

/**
 * Any event as one line of JSON, for those that are rare; call-event.ts has a faster way for calls.
 * Every text is bounded and without tokens, also what people typed into a description. A field that
 * is undefined is left out; the others stand in the order of their table.
 */
export function eventJson(event: AuditEvent): string {
  const given = event as Readonly<Partial<Record<string, unknown>>>;
  const { account, actor, target } = given;
  const named: readonly unknown[] = [account, actor, target];
  // Most fields are those of other events.
  const ordered: Record<string, unknown> = {};
  for (const name of FIELD_NAMES) if (given[name] !== undefined) ordered[name] = given[name];
  const limitOf = (holder: unknown, name: string) => {
    if (holder !== ordered) return named.includes(holder) ? EVENT_LIMITS.short : INSIDE.text;
    return name === 'path' || name === 'userAgent' ? EVENT_LIMITS[name] : EVENT_LIMITS.short;
  };
  return withVisibleEscapes(
    JSON.stringify(ordered, function (this: unknown, name: string, value: unknown) {
      if (typeof value === 'string') return bounded(value, limitOf(this, name)).toWellFormed();
      if (Array.isArray(value) && value.length > INSIDE.list)
        return [...value.slice(0, INSIDE.list), '…'];
      return value;
    }),
  );
}
