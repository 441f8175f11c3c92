import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AdminScene } from '../admin-scene.ts';
import { JOURNEY } from './model.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

/** The two doors by which an administrator without a browser comes. */
export interface Doors {
  /** Throws unless it answers the status that is expected. `token`: of somebody else. */
  api<Body>(
    method: string,
    path: string,
    expected: number,
    body?: unknown,
    token?: string,
  ): Promise<Body>;
  /** One call through the gate: its status, and under which id it is on record. */
  through(path: string, token: string): Promise<{ readonly status: number; readonly id: string }>;
  /** Pages of a table until there is no next one; how many lines there were. */
  csvLines(path: string): Promise<number>;
  /** Standard output of a command that must end with 0. */
  cli(...words: readonly string[]): Promise<string>;
  /** Standard error of one that must end with 1. */
  refused(...words: readonly string[]): Promise<string>;
  json<Answer>(...words: readonly string[]): Promise<Answer>;
  /** Lines of the output, which is not kept. */
  cliLines(...words: readonly string[]): Promise<number>;
}

export function doorsTo(scene: AdminScene, store: Readonly<Record<string, string>>): Doors {
  const config = join(scene.dataDir, '..', 'administrate.yaml');
  writeFileSync(
    config,
    JSON.stringify({
      instance: { name: 'turns', dataDir: scene.dataDir },
      store,
      // Of whoever goes by the store itself, their own configuration says it.
      console: { approvals: { roles: [JOURNEY.protectedRole] } },
    }),
  );
  const run = async (words: readonly string[], onText: (text: string) => void, expected = 0) => {
    const child = spawn(process.execPath, [MAIN, ...words, '--config', config], {
      cwd: scene.dataDir,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000);
    });
    child.stdout.setEncoding('utf8').on('data', onText);
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== expected) throw new Error(`${words.join(' ')}: ended with ${code}: ${said}`);
    return said;
  };
  const cli = async (...words: readonly string[]) => {
    let output = '';
    await run(words, (text) => {
      output += text;
    });
    return output;
  };
  const ask = async (method: string, path: string, expected: number, more: AskedWith = {}) => {
    const answer = await scene.api(method, path, more.body, more.headers);
    if (answer.status === expected) return answer;
    throw new Error(`${method} ${path}: ${answer.status} ${answer.text.slice(0, 500)}`);
  };
  return {
    api: async (method, path, expected, body, token) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      return JSON.parse((await ask(method, path, expected, { body, headers })).text) as never;
    },
    through: async (path, token) => {
      const { status, headers } = await scene.through(path, token);
      return { status, id: String(headers['x-request-id']) };
    },
    csvLines: async (path) => {
      let lines = 0;
      for (let next: string | null = path; next !== null; ) {
        const { text, headers } = await ask('GET', next, 200, { headers: { accept: 'text/csv' } });
        lines += text.split('\r\n').length - 2;
        next = /^<\/api\/v1([^>]*)>/.exec(String(headers.link ?? ''))?.[1] ?? null;
      }
      return lines;
    },
    cli,
    refused: (...words) => run(words, () => {}, 1),
    json: async (...words) => JSON.parse(await cli(...words, '--json')) as never,
    cliLines: async (...words) => {
      let lines = 0;
      await run(words, (text) => {
        for (const letter of text) if (letter === '\n') lines += 1;
      });
      return lines;
    },
  };
}

interface AskedWith {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}
