import type { WaitingChange } from '../admin/approvals/waiting.ts';
import { styled } from './terminal.ts';

/** How a record would be changed, for people. */

export function markOf({ before, after }: WaitingChange): string {
  if (before === null) return styled('green', '+');
  return after === null ? styled('red', '-') : styled('yellow', '~');
}

/** What differs, a line for each field; times of a record say nothing here. */
export function differencesOf({ before, after }: WaitingChange): readonly string[] {
  const fields = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  return [...fields].flatMap((field) => {
    const [was, is] = [wordsOf(before?.[field]), wordsOf(after?.[field])];
    return was === is || UNSAID.includes(field) ? [] : [`${field}: ${was} → ${is}`];
  });
}

const UNSAID = ['id', 'name', 'createdAt', 'updatedAt', 'tokenCreatedAt'];

function wordsOf(value: unknown): string {
  if (value === undefined || value === null || value === '') return '-';
  if (Array.isArray(value)) return value.map(wordsOf).join(' ') || '-';
  return typeof value === 'object' ? Object.values(value).join(':') : String(value);
}
