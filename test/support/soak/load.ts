import { Agent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { keptCall } from '../balanced/kept-call.ts';
import type { SoakStage } from './stage.ts';

/** For each way; each has one connection, and rests between its calls. */
const CALLERS = 8;
const REST_MS = 20;
const FAILURES_KEPT = 100;

export interface SoakLoad {
  readonly calls: number;
  readonly failures: number;
  /** The first of them: when, by which way, what. */
  readonly failed: readonly string[];
}

/** Calls until `over`, a quarter of them POST, and repeats none. */
export async function callThroughout(stage: SoakStage, over: AbortSignal): Promise<SoakLoad> {
  const failed: string[] = [];
  let [calls, failures] = [0, 0];
  const beganMs = performance.now();
  const loops = Object.entries(stage.ways).flatMap(([way, port]) =>
    Array.from({ length: CALLERS }, async (_, n) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: stage.ca });
      for (let count = n; !over.aborted; count += 1) {
        const method = count % 4 === 0 ? 'POST' : 'GET';
        const said = await keptCall(stage, port, method, agent);
        calls += 1;
        if (said !== '200 done') {
          failures += 1;
          const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
          if (failed.length < FAILURES_KEPT) failed.push(`${seconds} s, ${way}: ${method} ${said}`);
        }
        await sleep(REST_MS);
      }
      agent.destroy();
    }),
  );
  await Promise.all(loops);
  return { calls, failures, failed };
}
