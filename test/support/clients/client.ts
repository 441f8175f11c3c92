import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Part, pythonWith } from '../system.ts';

/** One call as a person would type it. */
export interface Call {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly url: string;
  readonly caFile: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The body; without it a POST is empty. */
  readonly bodyFile?: string;
}

export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly bytes: number;
  readonly sha256: string;
  /** The body, when it is short. */
  readonly text: string;
}

/**
 * A program that people call services with. Each call is a process, and so a connection, of its
 * own.
 */
export interface Client {
  readonly name: string;
  /** What must be installed for it. */
  readonly part: Part | null;
  /**
   * The command; the body goes to `saveTo` (`-` = standard output), status and headers to standard
   * error or output.
   */
  command(
    call: Call,
    saveTo: string,
  ): { readonly words: readonly string[]; readonly env?: Readonly<Record<string, string>> };
}

const CALL_MS = 60_000;
const TEXT_BYTES = 4096;

const programs = join(import.meta.dirname, 'programs');

const curl: Client = {
  name: 'curl',
  part: 'curl',
  command: ({ method, url, caFile, headers, bodyFile }, saveTo) => ({
    words: [
      ...[
        'curl',
        '-q',
        '--silent',
        '--show-error',
        '--no-buffer',
        '--cacert',
        caFile,
        '--output',
        saveTo,
      ],
      ...(saveTo === '-' ? [] : ['--dump-header', '-']),
      ...(method === 'HEAD'
        ? ['--head']
        : bodyFile
          ? ['--request', method, '--upload-file', bodyFile]
          : ['--request', method]),
      ...(method === 'POST' && !bodyFile ? ['--data', ''] : []),
      ...headerWords('--header', headers),
      url,
    ],
  }),
};

const wget: Client = {
  name: 'wget',
  part: 'wget',
  command: ({ method, url, caFile, headers, bodyFile }, saveTo) => ({
    words: [
      ...[
        'wget',
        '--no-config',
        '--quiet',
        '--server-response',
        '--content-on-error',
        '--max-redirect=0',
        '--tries=1',
        '--no-hsts',
      ],
      ...[`--ca-certificate=${caFile}`, `--output-document=${saveTo}`, `--method=${method}`],
      ...(bodyFile ? [`--body-file=${bodyFile}`] : method === 'POST' ? ['--body-data='] : []),
      ...headerWords('--header', headers),
      url,
    ],
  }),
};

const requests: Client = {
  name: 'python3-requests',
  part: 'python3-requests',
  command: (call, saveTo) => ({
    words: [
      pythonWith('requests') ?? 'python3',
      join(programs, 'requests_client.py'),
      ...scriptWords(call, saveTo),
    ],
    env: { REQUESTS_CA_BUNDLE: call.caFile },
  }),
};

const nodeFetch: Client = {
  name: "Node's fetch",
  part: null,
  command: (call, saveTo) => ({
    words: [process.execPath, join(programs, 'fetch-client.ts'), ...scriptWords(call, saveTo)],
    env: { NODE_EXTRA_CA_CERTS: call.caFile },
  }),
};

export const CLIENTS: readonly Client[] = [curl, wget, requests, nodeFetch];

/**
 * Makes the call and waits for its end. Throws when the program gives no status, with what it said
 * instead.
 */
export async function call(client: Client, wanted: Call): Promise<Answer> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-client-'));
  const saveTo = join(folder, 'body');
  try {
    const running = start(client, wanted, saveTo);
    await running.ended;
    const { status, headers } = statusAndHeaders(running.said());
    // `curl --head` writes the head where a body would go; no answer to HEAD has a body.
    if (wanted.method === 'HEAD') return { status, headers, bytes: 0, sha256: '', text: '' };
    return { status, headers, ...(await hashFile(saveTo)) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Makes the call and shows the body while it comes. */
export function stream(
  client: Client,
  wanted: Call,
): { readonly body: AsyncIterable<Buffer>; readonly ended: Promise<void> } {
  const running = start(client, wanted, '-');
  return { body: running.body, ended: running.ended };
}

/**
 * SHA-256 and length of a file; of a file that is not there, those of nothing: some clients write
 * none when the body is empty.
 */
export async function hashFile(
  path: string,
): Promise<{ bytes: number; sha256: string; text: string }> {
  const digest = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
      bytes += chunk.length;
      digest.update(chunk);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const text = bytes > 0 && bytes <= TEXT_BYTES ? readFileSync(path, 'utf8') : '';
  return { bytes, sha256: digest.digest('hex'), text };
}

function start(client: Client, wanted: Call, saveTo: string) {
  const { words, env } = client.command(wanted, saveTo);
  const child = spawn(words[0]!, words.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    timeout: CALL_MS,
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  // curl cannot open /dev/stderr when that is a socket, so it shows the head on standard output,
  // which is free then.
  if (saveTo !== '-')
    child.stdout.on('data', (chunk) => {
      said += chunk;
    });
  const ended = once(child, 'close').then(() => {});
  return { body: child.stdout as AsyncIterable<Buffer>, ended, said: () => said };
}

/** The last status and the headers after it: what all four print, each in its manner. */
function statusAndHeaders(said: string): { status: number; headers: Map<string, string> } {
  const lines = said.split('\n').map((line) => line.trim());
  const at = lines.findLastIndex((line) => /^(HTTP\/[\d.]+ )?[1-5]\d\d( |$)/.test(line));
  const status = Number(/^(?:HTTP\/[\d.]+ )?(\d{3})/.exec(lines[at] ?? '')?.[1]);
  if (at === -1 || !(status >= 200)) throw new Error(`no answer: ${said.slice(-500)}`);
  const headers = new Map<string, string>();
  for (const line of lines.slice(at + 1)) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status, headers };
}

function headerWords(option: string, headers: Readonly<Record<string, string>> = {}): string[] {
  return Object.entries(headers).flatMap(([name, value]) => [option, `${name}: ${value}`]);
}

function scriptWords({ method, url, headers = {}, bodyFile = '' }: Call, saveTo: string): string[] {
  return [
    method,
    url,
    saveTo,
    bodyFile,
    ...Object.entries(headers).map(([name, value]) => `${name}:${value}`),
  ];
}
