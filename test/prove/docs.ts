/**
 * `npm run prove -- docs`: follows the documents as a newcomer would. Every command that README.md
 * and docs/ show in a fence `sh` is run as it stands there, in its order, in a clean clone, with a
 * real Redis with TLS and the users that the documents make; every file that they show is written
 * as it is shown. Two minutes. The last line is `N passed, N failed, N skipped`.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { projectFiles, ROOT, read } from '../house/tree.ts';
import { type Block, blocksOf, fileOf } from '../support/documents/blocks.ts';
import { placeIn, type Ran } from '../support/documents/place.ts';

interface Chapter {
  readonly document: string;
  /** Where its reader is; default: where the chapter before it has ended. */
  readonly from?: 'clone' | 'gate';
  /** What `npm start` has opened goes on, and not only to the next block. */
  readonly keepsDev?: true;
  /** What its reader has at hand. */
  readonly given?: string;
}

/** In the order in which somebody needs them. */
const CHAPTERS: readonly Chapter[] = [
  { document: 'docs/QUICK-START.md', from: 'clone', keepsDev: true },
  {
    document: 'docs/TOKENS.md',
    given: 'export PATH="$clone/bin:$PATH"; cp my.token leaked.txt',
    keepsDev: true,
  },
  { document: 'docs/COMMAND-LINE.md', given: 'export PATH="$clone/bin:$PATH"', keepsDev: true },
  { document: 'README.md', from: 'clone' },
  { document: 'docs/REDIS.md', from: 'gate' },
  { document: 'config/redis/README.md', from: 'clone' },
  { document: 'docs/KUBERNETES.md', from: 'clone' },
  { document: 'docs/IMAGE.md' },
  { document: 'docs/WEBHOOKS.md' },
];

/** Blocks with such a line need what is not here. */
const ELSEWHERE: readonly (readonly [line: RegExp, why: string])[] = [
  [/^docker/m, 'a Docker engine and a registry of images: npm run prove -- docker'],
  [/^(kubectl|helm)/m, 'a cluster'],
  [/gate\.example/, 'gates of yours'],
  [/~\/\.(bashrc|zshrc)/, 'files of your shell'],
  [/sallyport webhook test/, 'a receiver of yours: test/processes/webhooks'],
];

/** What must have been said by whatever was run: to curl, a refused call is no failure. */
const SAID: readonly (readonly [command: RegExp, said: RegExp])[] = [
  [/npm start/, /Ctrl-C ends it/],
  [/sallyport check .*--connect/, /sallyport\.yaml is in order/],
  [/sallyport explain --account ci-pipeline/, /^let in/m],
  [/curl .*gate\.internal/s, /"account":"ci-pipeline"/],
  [/sallyport activity/, /\/applications\/CRM\/deployments/],
];

/** The service that the documents put behind the gate, and what the script needs beside them. */
const FRAME = `
set -euo pipefail
node - <<'@@' &
require('node:http').createServer((request, response) => {
  response.statusCode = request.method === 'POST' ? 201 : 200;
  response.end(JSON.stringify({ account: request.headers['x-account-name'] ?? null }) + '\\n');
}).listen(8080, '10.0.0.7');
@@
listening() { ss -Hltn | wc -l; }
settled() {
  for _ in $(seq 150); do [ "$(listening)" -gt "$1" ] && return; sleep 0.2; done
  echo 'nothing has begun to listen'; return 1
}
dev=
opened() {
  for _ in $(seq 600); do grep -q 'Ctrl-C ends it' "$1" && break; sleep 0.2; done
  cat "$1"
}
ended() {
  [ -n "$dev" ] || return 0
  kill -TERM -- "-$dev"; wait "$dev" || true
  dev=
}
settled 0
clone=$PWD/clone gate=$PWD/my-gate
`;

const folder = mkdtempSync(join(tmpdir(), 'sallyport-docs-'));
try {
  process.exitCode = await follow();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function follow(): Promise<number> {
  const path = ownPath();
  const blocks = CHAPTERS.flatMap(({ document }) => commandsOf(document));
  const place = placeIn(folder, path);
  if (place === null) return told([], [], blocks.length);
  makeClone(join(folder, 'clone'), path);
  const skipped = blocks.filter((block) => whyElsewhere(block) !== null);
  for (const block of skipped) console.log(`skipped ${block.where}: ${whyElsewhere(block)}`);
  const ran = await place(
    `${FRAME}${CHAPTERS.map(scriptOf).join('')}ended\nprintf '\\n@@ end\\n'\n`,
  );
  const failed = [...faultsIn(blocks, ran), ...unread()];
  return told(blocks, failed, skipped.length);
}

function told(blocks: readonly Block[], failed: readonly string[], skipped: number): number {
  for (const line of failed) console.log(`FAILED ${line}`);
  const passed = Math.max(0, blocks.length - failed.length - skipped);
  console.log(`${passed} passed, ${failed.length} failed, ${skipped} skipped`);
  return failed.length === 0 ? 0 : 1;
}

/**
 * What git tracks here, with what `npm ci` fetches: the documents' own is then without a network.
 */
function makeClone(clone: string, PATH: string): void {
  for (const file of projectFiles()) {
    mkdirSync(dirname(join(clone, file)), { recursive: true });
    cpSync(join(ROOT, file), join(clone, file));
  }
  const env = { ...process.env, PATH };
  execFileSync('npm', ['ci', '--prefer-offline', '--loglevel=error'], { cwd: clone, env });
}

/** Without the programs of our own packages: a newcomer has none. */
function ownPath(): string {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.filter((one) => !one.startsWith(ROOT)).join(delimiter);
}

function commandsOf(document: string): readonly Block[] {
  return blocksOf(document, read(document)).filter(({ language }) => language === 'sh');
}

function whyElsewhere({ text }: Block): string | null {
  return ELSEWHERE.find(([line]) => line.test(text))?.[1] ?? null;
}

function scriptOf({ document, from, keepsDev, given = '' }: Chapter): string {
  const where = `${from === undefined ? '' : `cd "$${from}"\n`}${given}\n`;
  const blocks = blocksOf(document, read(document)).map((block) => {
    const file = fileOf(block);
    if (file !== null) return `cat > ${file} <<'@@'\n${block.text}@@\n`;
    if (block.language !== 'sh' || whyElsewhere(block) !== null) return '';
    return `${keepsDev === true ? '' : 'ended\n'}printf '\\n@@ %s\\n' '${block.where}'\n${commandsIn(block)}`;
  });
  return where + blocks.join('');
}

function commandsIn({ text }: Block): string {
  if (/npm start/.test(text))
    return `setsid bash -ec '${text}' > dev.log 2>&1 & dev=$!\nopened dev.log\n`;
  const begins = /&$/m.test(text.replaceAll('&&', ''));
  return begins ? `before=$(listening)\n${text}settled "$before"\n` : text;
}

/** A line for each block that ended the script, was not reached, or said something else. */
function faultsIn(blocks: readonly Block[], { status, output }: Ran): readonly string[] {
  const parts = new Map(
    output.split(/^@@ /m).map((part) => {
      const [where = '', ...lines] = part.split('\n');
      return [where, lines.join('\n')] as const;
    }),
  );
  const last = [...parts.keys()].at(-1);
  const faults: string[] = [];
  for (const block of blocks) {
    if (whyElsewhere(block) !== null) continue;
    const { where, text } = block;
    const said = parts.get(where);
    const expected = SAID.filter(([command]) => command.test(text));
    if (said === undefined) faults.push(`${where}: not reached`);
    else if (where === last) faults.push(`${where}: exit code ${status}\n${said.slice(-3000)}`);
    else if (expected.some(([, words]) => !words.test(said)))
      faults.push(`${where}: something else was said\n${said.slice(-3000)}`);
    else console.log(`ok     ${where}`);
  }
  return faults;
}

/** Documents with commands that no chapter is of. */
function unread(): readonly string[] {
  const known = new Set(CHAPTERS.map(({ document }) => document));
  return projectFiles()
    .filter((path) => /^(README\.md|(docs|config\/redis)\/.*\.md)$/.test(path) && !known.has(path))
    .filter((path) => !path.startsWith('docs/decisions/') && commandsOf(path).length > 0)
    .map((path) => `${path}: shows commands, and is not among the chapters of this proof`);
}
