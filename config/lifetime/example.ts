import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { GROUPS, type Operation } from './api.ts';

/**
 * Writes config/examples/lifetime/sallyport.yaml from the table of the API. Run as a script
 * (`npm run lifetime`) it writes the file; with `--check` it only says whether the file is up to
 * date, and with `--some` it prints it with `application: some` in the lists.
 */
export const EXAMPLE_FILE = fileURLToPath(
  new URL('../examples/lifetime/sallyport.yaml', import.meta.url),
);

const HEAD = readFileSync(new URL('head.yaml', import.meta.url), 'utf8');

/** What clients read before they know of any application. */
const LISTS: ReadonlySet<string> = new Set(['applications', 'environments', 'deployments']);

/** @param lists what stands for the application in the lists that every client begins with */
export function exampleText(lists: 'any' | 'some' = 'any'): string {
  const groups = GROUPS.map(({ about, operations }) => {
    const listed = operations.map((operation) =>
      LISTS.has(operation.name) ? { ...operation, application: lists } : operation,
    );
    const rows = listed.flatMap(routesOf).map((row) => `  - ${flow(row)}\n`);
    return `${comment(about)}${rows.join('')}`;
  });
  return `${HEAD}\nroutes:\n${groups.join('\n')}`;
}

/** Lines of at most 100 columns. */
function comment(text: string): string {
  const lines = text.match(/\S.{0,94}\S(?=\s|$)/g) ?? [];
  return lines.map((line) => `  # ${line}\n`).join('');
}

type OfExample = Omit<Operation, 'application'> & {
  readonly application: Operation['application'] | 'some';
};

/** Both forms of a path: some clients end each with a slash. */
function routesOf(operation: OfExample): readonly Readonly<Record<string, unknown>>[] {
  const { name, methods, path, permission, application, more = {} } = operation;
  const withHead = methods.includes('GET') ? [...methods, 'HEAD'] : methods;
  const forwarded = permission === null ? {} : { application, permission, upstream: 'lifetime' };
  const row = { name, path, methods: withHead, ...forwarded, caseInsensitive: true, ...more };
  if (path.endsWith('/**')) return [row];
  return [row, { ...row, name: `${name}.slash`, path: `${path}/` }];
}

/** YAML in one line, quoted where it has to be. */
function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const pairs = Object.entries(value).map(([key, one]) => `${key}: ${flow(one)}`);
    return `{ ${pairs.join(', ')} }`;
  }
  const text = String(value);
  return typeof value === 'string' && /[{}*[\],#]/.test(text) ? JSON.stringify(text) : text;
}

function main(option: string | undefined): void {
  if (option === '--some') process.stdout.write(exampleText('some'));
  else if (option !== '--check') writeFileSync(EXAMPLE_FILE, exampleText());
  else if (readFileSync(EXAMPLE_FILE, 'utf8') !== exampleText()) {
    console.error('config/examples/lifetime/sallyport.yaml is out of date: run npm run lifetime');
    process.exitCode = 1;
  }
}

if (import.meta.main) main(process.argv[2]);
