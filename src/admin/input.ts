import type * as z from 'zod';
import { type Fault, invalid } from './error.ts';
import { printable } from './faults.ts';

/**
 * Reads what comes in by a schema: the one check of its form, whoever brings it. Values are
 * `unknown` on purpose: input also comes from a socket, and types are gone by then.
 */

export type Read<T> =
  | { readonly value: T; readonly faults?: never }
  | { readonly value?: never; readonly faults: readonly Fault[] };

/**
 * Faults of one input that are told; what is wrong in more places is told when these are mended.
 */
const FAULTS_MAX = 20;

export function readInput<T extends z.ZodType>(schema: T, given: unknown): Read<z.output<T>> {
  const result = schema.safeParse(given, { error: wordsOf });
  if (result.success) return { value: result.data };
  return { faults: result.error.issues.flatMap(faultsOf).slice(0, FAULTS_MAX) };
}

/** The same, or one `invalid` error that names every fault. */
export function parsed<T extends z.ZodType>(schema: T, given: unknown): z.output<T> {
  const { value, faults } = readInput(schema, given);
  if (faults !== undefined) throw invalid(faults);
  return value;
}

function faultsOf(issue: z.core.$ZodIssue): readonly Fault[] {
  if (issue.code !== 'unrecognized_keys')
    return [{ field: fieldAt(issue.path), message: issue.message }];
  return issue.keys.slice(0, FAULTS_MAX).map((key) => ({
    field: fieldAt([...issue.path, printable(key)]),
    message: 'is not a known field',
  }));
}

/** As the caller knows it: `teams[0].role`. */
export function fieldAt(path: readonly PropertyKey[]): string {
  const text = path.reduce<string>(
    (so, key) =>
      typeof key === 'number' ? `${so}[${key}]` : so === '' ? String(key) : `${so}.${String(key)}`,
    '',
  );
  return text === '' ? 'input' : text;
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'must be text',
  boolean: 'must be true or false',
  array: 'must be a list',
  object: 'must be an object',
  number: 'must be a number',
  int: 'must be a whole number',
};

/** What a schema does not say in words of its own. */
function wordsOf(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined || issue.input === null
        ? 'is missing'
        : (KINDS[issue.expected] ?? `must be ${issue.expected}`);
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      if (issue.origin === 'string') return 'must not be empty';
      if (issue.origin !== 'array') return `must be at least ${issue.minimum}`;
      return `must have at least ${issue.minimum} ${Number(issue.minimum) === 1 ? 'entry' : 'entries'}`;
    case 'too_big':
      if (issue.origin === 'string') return `must be text of at most ${issue.maximum} characters`;
      if (issue.origin !== 'array') return `must be at most ${issue.maximum}`;
      return `has ${(issue.input as readonly unknown[]).length} entries; ${issue.maximum} are allowed`;
    default:
      return undefined;
  }
}
