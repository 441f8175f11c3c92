import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';

const DOCUMENT = join(import.meta.dirname, '..', '..', 'docs', 'SCALE.md');

/** How a figure came about: the command, the day, the machine and how busy it was besides. */
export function conditions(command: string, what: string): string {
  const day = new Date().toISOString().slice(0, 10);
  const load = loadavg().map((value) => value.toFixed(1));
  return wrapped(
    `\`${command}\`, ${day}: ${what}; ${cpus().length} cores, load average at the end ${load.join(', ')}, Node ${process.versions.node}.`,
  );
}

/** At most 100 columns, as all documents. What stands between backticks stays together. */
function wrapped(text: string): string {
  const words = text.match(/(?:`[^`]*`|\S)+/g) ?? [];
  const lines = [''];
  for (const word of words) {
    const line = lines.at(-1)!;
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= 100) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.join('\n');
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
