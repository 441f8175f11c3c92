import { readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import type { Proven } from '../../support/truth/audit-stage.ts';
import type { Setting } from './settings.ts';

const DOCUMENT = new URL('../../../docs/RELIABILITY.md', import.meta.url);
const [BEGIN, END] = ['<!-- audit: begin -->', '<!-- audit: end -->'];
const HEADINGS = [
  'what happens',
  'store',
  'durability',
  'calls',
  'answered',
  '503 `audit-unavailable` (of them unrecorded and counted)',
  'without a record',
  'events lost (counted)',
  'recorded twice',
  'outcome unknown',
  '`audit verify`: gaps, edits',
  'kept',
  'when, load',
];
const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
const HEAD = [line(HEADINGS), line(HEADINGS.map(() => '---'))];

/** Puts the row of a setting in the place of its old one. */
export function writeRows(
  setting: Setting,
  { verdict, gaps, edits }: Proven,
  broken: number,
): void {
  const { scene, store, durability } = setting;
  const place = [scene.name, store, `\`${durability}\``];
  const { calls, answered, unavailable, unrecorded, withoutRecord, lost, countedLost } = verdict;
  const counted = scene.takesMetrics ? '' : ` (${countedLost})`;
  const row = line([
    ...place,
    String(calls),
    String(answered),
    `${unavailable} (${unrecorded})`,
    String(withoutRecord.length),
    `${lost}${counted}`,
    String(verdict.duplicated.length),
    String(verdict.unknown),
    `${gaps}, ${edits}`,
    broken === 0 ? 'yes' : '**no**',
    `${new Date().toISOString().slice(0, 10)}, ${loadavg()[0]?.toFixed(1)}`,
  ]);
  console.log(row);
  const text = readFileSync(DOCUMENT, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`${DOCUMENT.pathname} has lost its ${BEGIN}`);
  const old = text
    .slice(begin, end)
    .split('\n')
    .filter((one) => one.startsWith('| ') && !HEAD.includes(one))
    .filter((one) => !one.startsWith(line(place).slice(0, -1)));
  const table = [...HEAD, ...[...old, row].sort()].join('\n');
  writeFileSync(DOCUMENT, `${text.slice(0, begin)}${BEGIN}\n${table}\n${text.slice(end)}`);
}
