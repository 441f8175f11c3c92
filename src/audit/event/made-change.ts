import { CHANGE_TYPES, type ChangeType } from './audit-event.ts';
import { SCHEMA_VERSION } from './fields.ts';

type Shown = Readonly<Record<string, unknown>>;

/** What a recorded change made of a record; for whoever goes through many of them. */
export interface MadeChange {
  readonly type: ChangeType;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly target: { readonly kind: string; readonly id: string };
  /** Null: it did not exist. */
  readonly before: Shown | null;
  /** Null: it exists no more. */
  readonly after: Shown | null;
}

const TYPES: ReadonlySet<unknown> = new Set(CHANGE_TYPES);

/**
 * Reads only what is asked for, as `askedIn` does of calls. Null: it is no change, or one that this
 * version cannot read.
 */
export function madeIn(line: string): MadeChange | null {
  const event = objectIn(line);
  if (event === null) return null;
  const { schema = SCHEMA_VERSION, type, phase, time, before, after } = event;
  if (schema !== SCHEMA_VERSION || phase !== 'change' || !TYPES.has(type)) return null;
  const { kind, id } = Object(event.target ?? {}) as Shown;
  if (typeof kind !== 'string' || typeof id !== 'string' || typeof time !== 'string') return null;
  if (!isShown(before) || !isShown(after)) return null;
  return { type: type as ChangeType, time, target: { kind, id }, before, after };
}

function objectIn(line: string): Shown | null {
  try {
    return Object(JSON.parse(line)) as Shown;
  } catch {
    return null;
  }
}

function isShown(value: unknown): value is Shown | null {
  return typeof value === 'object' && !Array.isArray(value);
}
