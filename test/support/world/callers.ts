import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { FRONTS, type Front, NAMES } from './places.ts';

export interface CallersOptions {
  readonly token: string;
  readonly caFile: string;
  /** Default: all. */
  readonly fronts?: readonly Front[];
  /** Connections at each front, each with one call at a time. */
  readonly callers: number;
  /** Of all together; they never make more. */
  readonly callsPerSecond: number;
  /** Whether every fourth call is a POST, which nobody may repeat. */
  readonly posts: boolean;
}

export interface CallsMade {
  readonly calls: number;
  readonly posts: number;
  readonly seconds: number;
  /** `FRONT: what happened`, of calls that could have been repeated safely. */
  readonly failed: readonly string[];
  /** The same of POST. */
  readonly failedPosts: readonly string[];
}

/**
 * Calls over kept connections, at a bounded rate and repeating nothing, until it is told to end.
 */
export function keepCalling(options: CallersOptions): { end(): Promise<CallsMade> } {
  const { fronts = FRONTS, callers, callsPerSecond, posts } = options;
  const ca = readFileSync(options.caFile);
  const pauseMs = (fronts.length * callers * 1000) / callsPerSecond;
  const startedMs = performance.now();
  let [done, calls, posted] = [false, 0, 0];
  const [failed, failedPosts]: [string[], string[]] = [[], []];
  const loops = fronts.flatMap((front) =>
    Array.from({ length: callers }, async (_, n) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1, ca });
      let dueMs = performance.now() + (pauseMs * n) / callers;
      for (let count = n; !done; count += 1) {
        await sleep(Math.max(0, dueMs - performance.now()));
        // Who was held up does not hurry afterwards.
        dueMs = Math.max(dueMs + pauseMs, performance.now());
        const isPost = posts && count % 4 === 0;
        const outcome = await call(NAMES[front], isPost ? 'POST' : 'GET', options.token, agent);
        calls += 1;
        if (isPost) posted += 1;
        if (!outcome.startsWith('200 '))
          (isPost ? failedPosts : failed).push(`${front}: ${outcome}`);
      }
      agent.destroy();
    }),
  );
  return {
    end: async () => {
      done = true;
      await Promise.all(loops);
      const seconds = (performance.now() - startedMs) / 1000;
      return { calls, posts: posted, seconds, failed, failedPosts };
    },
  };
}

function call(host: string, method: string, token: string, agent: Agent): Promise<string> {
  const body = method === 'POST' ? 'content' : '';
  const length = body === '' ? {} : { 'content-length': body.length };
  const headers = { authorization: `Bearer ${token}`, ...length };
  return new Promise((resolve) => {
    const asked = request({ host, path: '/who', method, headers, agent }, (response) => {
      let said = '';
      response.setEncoding('utf8').on('data', (text: string) => (said += text));
      response
        .once('error', (fault) => resolve(fault.message))
        .once('end', () => resolve(`${response.statusCode} ${said.trim()}`));
    });
    asked.once('error', (fault) => resolve(fault.message));
    asked.end(body);
  });
}
