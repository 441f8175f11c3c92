import { type AuditEvent, schemaOf } from './audit-event.ts';
import { SCHEMA_VERSION } from './fields.ts';
import { kindOf } from './kind-of.ts';
import { quoted, withVisibleEscapes } from './text.ts';

/**
 * The one reader of events. What it cannot read it does not guess: it says why, and keeps the line,
 * so that nothing that was recorded is hidden from people.
 */

/** A line that this version cannot read: damaged, or of another version. */
export type UnreadableEvent = {
  /** As far as the line has them, so that it keeps its place in a log; else empty. */
  readonly id: string;
  readonly time: string;
  readonly type: 'unreadable';
  readonly phase: 'unreadable';
  /** What it is that cannot be read, as the end of a sentence. */
  readonly reason: string;
  /** As it stands in the log. */
  readonly line: string;
};

export type ReadEvent = AuditEvent | UnreadableEvent;

export function readEvent(line: string): ReadEvent {
  const event = objectIn(line);
  if (event === null) return unreadable(line, {}, 'it is no JSON object');
  if (isUnreadable(event)) return event;
  const { schema = SCHEMA_VERSION } = event;
  if (schema !== SCHEMA_VERSION)
    return unreadable(line, event, `its schema is ${shown(schema)}, and not ${SCHEMA_VERSION}`);
  const kind = kindOf(event);
  if (kind === null) {
    const { type, phase } = event;
    return unreadable(
      line,
      event,
      `nothing is known of type ${shown(type)}, phase ${shown(phase)}`,
    );
  }
  const { data, error } = schemaOf(kind).safeParse(event);
  if (data !== undefined) return data;
  const [fault] = error.issues;
  return unreadable(line, event, `${fault?.path.join('.')}: ${fault?.message}`);
}

/**
 * JSON for programs: the line as it is, with fields that are not known here too, or, where it
 * cannot be read, an `UnreadableEvent`.
 */
export function readableEvent(line: string): string {
  const event = readEvent(line);
  return event.phase === 'unreadable' ? withVisibleEscapes(JSON.stringify(event)) : line;
}

/** ISO 8601 times sort as text. An event that has none goes first rather than missing. */
export function timeOf(line: string): string {
  return textOf(objectIn(line)?.time);
}

/** Names an event for who wants to go on after it. */
export function markOf(line: string): string {
  const event = objectIn(line);
  return event === null ? '' : `${event.time}~${event.phase}~${event.id}`;
}

function unreadable(
  line: string,
  { id, time }: Readonly<Record<string, unknown>>,
  reason: string,
): UnreadableEvent {
  const known = { id: textOf(id), time: textOf(time) };
  return { ...known, type: 'unreadable', phase: 'unreadable', reason, line };
}

/** What another instance could not read, on its way to whom it is shown. */
function isUnreadable(event: object): event is UnreadableEvent {
  const { id, time, type, phase, reason, line } = event as Partial<Record<string, unknown>>;
  const texts = [id, time, reason, line].every((text) => typeof text === 'string');
  return type === 'unreadable' && phase === 'unreadable' && texts;
}

function objectIn(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const value = JSON.parse(line) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function shown(value: unknown): string {
  return quoted(String(typeof value === 'object' ? typeof value : value).slice(0, 64));
}
