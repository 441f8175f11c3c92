import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from './machine.ts';
import { tableText } from './report.ts';
import type { Result } from './result.ts';

const DOCUMENT = join(import.meta.dirname, '../../docs/PERFORMANCE.md');
const BEGIN = '<!-- table: begin -->';
const END = '<!-- table: end -->';

/**
 * Replaces what stands between the two marks. Throws when they are not there: nothing else of the
 * document is ever touched.
 */
export function writeDocument(results: readonly Result[], about: Machine): void {
  const text = readFileSync(DOCUMENT, 'utf8');
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin === -1 || end < begin)
    throw new Error(`${DOCUMENT} has no place for the table: ${BEGIN} … ${END}`);
  writeFileSync(
    DOCUMENT,
    `${text.slice(0, begin + BEGIN.length)}\n\n${tableText(results, about)}\n\n${text.slice(end)}`,
  );
}
