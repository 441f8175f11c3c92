import type * as z from 'zod';
import type { ConfigPath, Report } from './faults.ts';
import { suggestKey } from './suggestion.ts';

/**
 * Tells a person what the schema found. Nothing here repeats a value: it may have come from the
 * environment.
 */
export function reportIssues(issues: readonly z.core.$ZodIssue[], report: Report): void {
  for (const issue of issues) {
    const path = issue.path as ConfigPath;
    if (issue.code === 'unrecognized_keys')
      for (const key of issue.keys) reportUnknownKey([...path, key], report);
    else report.fault(path, describe(issue));
  }
}

function reportUnknownKey(path: ConfigPath, report: Report): void {
  const suggestion = suggestKey(path);
  report.fault(
    path,
    suggestion === null ? 'unknown key' : `unknown key (did you mean ${suggestion}?)`,
  );
}

const KINDS: Readonly<Record<string, string>> = {
  object: 'a group of keys',
  record: 'a group of keys',
  array: 'a list',
  string: 'a text',
  int: 'a whole number',
  number: 'a whole number',
  boolean: 'true or false',
};

function describe(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? 'is missing'
        : `expected ${KINDS[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `expected ${oneOf(issue.values)}`;
    case 'invalid_union':
      return 'options' in issue && Array.isArray(issue.options)
        ? `expected ${oneOf(issue.options)}`
        : 'not one of the allowed forms';
    case 'too_small':
      return issue.message.startsWith('Too small')
        ? `expected at least ${amount(issue.minimum, issue.origin)}`
        : issue.message;
    case 'too_big':
      return issue.message.startsWith('Too big')
        ? `expected at most ${amount(issue.maximum, issue.origin)}`
        : issue.message;
    case 'invalid_key':
      return issue.issues[0]?.message ?? issue.message;
    default:
      return issue.message;
  }
}

function oneOf(values: readonly unknown[]): string {
  return values.map(String).join(' or ');
}

function amount(limit: number | bigint, origin: string): string {
  return origin === 'string'
    ? `${limit} characters`
    : origin === 'array'
      ? `${limit} entries`
      : String(limit);
}
