import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';

const DOCUMENT = join(import.meta.dirname, '..', '..', 'docs', 'SCALE.md');

/** How a figure came about: the command, the day, the machine and how busy it was besides. */
export function conditions(command: string, what: string): string {
  const day = new Date().toISOString().slice(0, 10);
  const load = loadavg().map((value) => value.toFixed(1));
  return `\`${command}\`, ${day}: ${what}; ${cpus().length} cores, load average at the end ${load.join(', ')}, Node ${process.versions.node}.`;
}

/** Puts a text between the marks of that name in docs/SCALE.md. Throws when they are not there. */
export function writeSection(name: string, text: string): void {
  const before = readFileSync(DOCUMENT, 'utf8');
  const [beginMark, endMark] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const [begin, end] = [before.indexOf(beginMark), before.indexOf(endMark)];
  if (begin === -1 || end < begin)
    throw new Error(`docs/SCALE.md has lost its marks ${beginMark} and ${endMark}`);
  writeFileSync(
    DOCUMENT,
    `${before.slice(0, begin + beginMark.length)}\n${text}\n${before.slice(end)}`,
  );
}
