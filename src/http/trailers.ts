import type { FieldName } from './field-names.ts';
import { isRemoved } from './removed-fields.ts';

/** Fields behind the content of a message (RFC 9110 §6.5), in order of arrival. */
export interface Trailers {
  readonly names: readonly FieldName[];
  readonly values: readonly string[];
}

/**
 * What is decided before there are trailers (RFC 9110 §6.5.1): how a request is routed, permitted,
 * conditional or cached, what a response is and where it leads, how content is read. Whoever adds
 * trailers to the fields of the head believes it all the same, so none of it passes, in neither
 * direction. `link` and the locations lead past the gate where a route rewrites them in heads.
 */
const NEVER: ReadonlySet<string> = new Set([
  'age',
  'authorization',
  'cache-control',
  'content-encoding',
  'content-location',
  'content-range',
  'content-type',
  'cookie',
  'date',
  'expires',
  'link',
  'location',
  'max-forwards',
  'origin',
  'pragma',
  'range',
  'refresh',
  'retry-after',
  'set-cookie',
  'set-cookie2',
  'vary',
  'via',
  'warning',
  'www-authenticate',
]);
const NEVER_PREFIXES = ['access-control-', 'if-', 'sec-'] as const;

const FATE = { unknown: 0, passed: 1, dropped: 2 } as const;

/** Whether a field may pass the gate behind the content of a message, whatever its direction. */
export function mayTrail(name: FieldName): boolean {
  if (name.trailerFate === FATE.unknown)
    name.trailerFate = isNever(name.lower) ? FATE.dropped : FATE.passed;
  return name.trailerFate === FATE.passed;
}

function isNever(lower: string): boolean {
  return (
    NEVER.has(lower) ||
    isRemoved(lower) ||
    NEVER_PREFIXES.some((prefix) => lower.startsWith(prefix))
  );
}

/** Whether the value of a `TE` says that trailers are taken (RFC 9110 §10.1.4). */
export function takesTrailers(te: string): boolean {
  if (te === 'trailers') return true;
  return te
    .toLowerCase()
    .split(',')
    .some((member) => member.trim() === 'trailers');
}
