/**
 * `npm run prove -- NAME [ARGUMENTS]`: runs test/prove/NAME.ts, a long proof that no ring has the
 * time for.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const folder = join(import.meta.dirname, 'prove');
const name = process.argv[2] ?? '';
const names = provesIn(folder);

if (names.includes(name)) {
  // The proof sees its own arguments as a script started by its path does.
  process.argv.splice(1, 2, join(folder, `${name}.ts`));
  await import(pathToFileURL(join(folder, `${name}.ts`)).href);
} else {
  console.error('usage: npm run prove -- NAME');
  console.error(names.length > 0 ? `names: ${names.join(' ')}` : 'there are no proofs yet');
  process.exitCode = 2;
}

function provesIn(path: string): string[] {
  try {
    return readdirSync(path)
      .filter((file) => /^[a-z0-9-]+\.ts$/.test(file))
      .map((file) => file.slice(0, -'.ts'.length))
      .sort();
  } catch {
    return [];
  }
}
