import { isSecretName, withoutSecrets } from './redact.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

/** Limits of one line; what is longer is cut and ends in `…`. */
const MAX_TEXT = 2000;
const MAX_ITEMS = 50;
const MAX_DEPTH = 4;
const MAX_FRAMES = 8;

/**
 * One JSON object: `time`, `level`, `msg`, then the fields. A field may not take the place of the
 * first three.
 */
export function formatJson(
  wallMs: number,
  level: LogLevel,
  msg: string,
  fields: LogFields,
): string {
  const line: Record<string, unknown> = { time: isoTime(wallMs), level, msg: safeText(msg) };
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined)
      line[name in line ? `field_${name}` : name] = safeField(name, value, 0);
  }
  return JSON.stringify(line);
}

/** `12:03:04.123 warn  message  key=value`. */
export function formatForPeople(
  wallMs: number,
  level: LogLevel,
  msg: string,
  fields: LogFields,
): string {
  let line = `${isoTime(wallMs).slice(11, 23)} ${level.padEnd(5)} ${visible(safeText(msg))}`;
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const safe = safeField(name, value, 0);
    line += `  ${visible(name)}=${typeof safe === 'string' && /^[\w.:/@+-]+$/.test(safe) ? safe : visible(JSON.stringify(safe))}`;
  }
  return line;
}

function isoTime(wallMs: number): string {
  const date = new Date(wallMs);
  return Number.isNaN(date.getTime()) ? '1970-01-01T00:00:00.000Z' : date.toISOString();
}

function safeField(name: string, value: unknown, depth: number): unknown {
  if (
    isSecretName(name) &&
    value !== null &&
    typeof value !== 'boolean' &&
    typeof value !== 'number'
  )
    return '(removed)';
  return safeValue(value, depth);
}

function safeValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return safeText(value);
  if (typeof value === 'bigint' || typeof value === 'symbol') return safeText(String(value));
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'function' || value === undefined) return null;
  if (typeof value === 'boolean' || value === null) return value;
  if (value instanceof Error) return safeError(value, depth);
  if (value instanceof Date) return isoTime(value.getTime());
  if (depth >= MAX_DEPTH) return '…';
  return Array.isArray(value) ? safeList(value, depth) : safeObject(value, depth);
}

function safeList(list: readonly unknown[], depth: number): unknown[] {
  const safe = list.slice(0, MAX_ITEMS).map((item) => safeValue(item, depth + 1));
  return list.length > MAX_ITEMS ? [...safe, '…'] : safe;
}

function safeObject(object: object, depth: number): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(object).slice(0, MAX_ITEMS))
    safe[safeText(name)] = safeField(name, value, depth + 1);
  return safe;
}

/**
 * Name, code, message, the top of the stack and the cause; not the other properties, which may hold
 * a command with its arguments. Of a fault that is to be expected (`isOutage`: a store is away)
 * neither the stack nor a cause of that kind, which says the same.
 */
function safeError(error: Error, depth: number): Record<string, unknown> {
  const safe: Record<string, unknown> = {
    name: safeText(error.name),
    message: safeText(error.message),
  };
  const code = (error as NodeJS.ErrnoException).code;
  if (typeof code === 'string') safe.code = safeText(code);
  const isExpected = isOutage(error);
  const frames = isExpected ? [] : framesOf(error);
  if (frames.length > 0) safe.stack = frames;
  const { cause } = error;
  if (cause !== undefined && !(isExpected && isOutage(cause)) && depth < MAX_DEPTH)
    safe.cause = safeValue(cause, depth + 1);
  return safe;
}

function isOutage(fault: unknown): boolean {
  return fault instanceof Error && (fault as { isOutage?: unknown }).isOutage === true;
}

function framesOf({ stack = '' }: Error): string[] {
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return frames.slice(0, MAX_FRAMES).map((line) => safeText(line.trim()));
}

function safeText(text: string): string {
  // Secrets are removed from a little more than is kept, so that the cut can't leave half a token
  // that is no longer recognised.
  const kept = withoutSecrets(text.slice(0, MAX_TEXT + 128)).toWellFormed();
  return kept.length > MAX_TEXT ? `${kept.slice(0, MAX_TEXT)}…` : kept;
}

/**
 * Control characters, directional marks and line separators as escapes: a terminal must show the
 * line as it is (CWE-117, CWE-150).
 */
function visible(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
