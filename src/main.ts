import { existsSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// A bundle has a folder for the code that V8 makes of it: what one process compiled the next one
// reads. It belongs to whom the bundle belongs; who may not write there starts without. Sources
// have none.
const compiled = join(import.meta.dirname, 'compiled');
if (existsSync(compiled)) enableCompileCache(compiled);

const { run } = await import('./cli/program.ts');
process.exitCode = await run(process.argv.slice(2));
