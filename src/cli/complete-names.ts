import { homedir } from 'node:os';
import { Argument, type Command } from 'commander';
import { isName } from '../account/model.ts';
import { NAMED, type Named } from './completion-tree.ts';
import { wordsOf } from './line-words.ts';
import { readContexts } from './place/contexts-file.ts';
import { placeOf, type StoreOptions } from './place/place.ts';
import { snapshotOf, writeOut } from './screen/out.ts';

/** Names that a shell is offered; and how long it waits for them, from the start of the process. */
const NAMES_MOST = 100;
const LIMIT_MS = 2_000;

/** What the scripts of `sallyport completion` ask. Silent in every failure: somebody is typing. */
export function addCompleteCommand(program: Command): void {
  program
    .command('__complete', { hidden: true })
    .addArgument(new Argument('<kind>').choices(NAMED))
    .argument('<prefix>')
    .argument('<line>')
    .action(async (kind: Named, prefix: string, line: string) => {
      endInTime();
      for (const name of await namesFor(kind, prefix, line)) writeOut(`${name}\n`);
      // A connection that is still being closed keeps nobody waiting.
      process.stdout.write('', () => process.exit(0));
    });
}

function endInTime(): void {
  const asked = Number(process.env.SALLYPORT_COMPLETE_MS ?? LIMIT_MS);
  const limitMs = asked > 0 ? asked : LIMIT_MS;
  setTimeout(() => process.exit(0), Math.max(0, limitMs - performance.now())).unref();
}

async function namesFor(kind: Named, prefix: string, line: string): Promise<readonly string[]> {
  if (prefix !== '' && !isName(prefix)) return [];
  let names: readonly string[] = [];
  try {
    await snapshotOf(async () => {
      names =
        kind === 'context' ? Object.keys(readContexts().contexts) : await asked(kind, prefix, line);
    });
  } catch {
    return [];
  }
  // Their alphabet needs no quotes in any shell.
  const fit = names.filter((name) => isName(name) && name.startsWith(prefix));
  return [...new Set(fit)].sort().slice(0, NAMES_MOST);
}

async function asked(kind: Exclude<Named, 'context'>, prefix: string, line: string) {
  const options = placeIn(line);
  if (options === null) return [];
  const place = placeOf(options);
  if (place.server !== null && place.token.mayAsk) return [];
  return (await import('./names-at.ts')).namesAt(place, kind, { prefix, most: NAMES_MOST });
}

const PLACES = {
  '--config': 'config',
  '--server': 'server',
  '--ca-file': 'caFile',
  '--context': 'context',
} as const;

/** The place that the line says; null where only the shell knows it. */
function placeIn(line: string): StoreOptions | null {
  const words = wordsOf(line, homedir());
  if (words.includes(null)) return null;
  const options: { -readonly [Name in keyof StoreOptions]: StoreOptions[Name] } = {};
  for (const [index, word] of words.entries()) {
    const [, flag, value] = /^(--[a-z-]+)(?:=(.*))?$/s.exec(word ?? '') ?? [];
    const name = PLACES[flag as keyof typeof PLACES];
    if (name === undefined) continue;
    const said = value ?? words[index + 1];
    if (typeof said !== 'string') return null;
    options[name] = said;
  }
  return options;
}
