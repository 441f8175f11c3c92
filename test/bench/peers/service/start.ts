import { join } from 'node:path';
import { type Child, freePort, startChild } from '../../children.ts';
import type { Stage } from '../../stage.ts';
import { accepts } from '../nginx.ts';

export interface Service {
  readonly port: number;
  readonly child: Child;
}

/**
 * Starts one of the programs of this folder on the proxy's processor: its time is the peer's time.
 */
export async function startService(
  stage: Stage,
  file: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Service> {
  const port = await freePort();
  const child = await startChild({
    cpus: stage.cpus.proxy,
    command: process.execPath,
    words: [join(import.meta.dirname, file)],
    env: {
      NODE_ENV: 'production',
      BENCH_PORT: String(port),
      BENCH_REDIS_PORT: String(stage.redisPort),
      ...env,
    },
    ready: () => accepts(port),
  });
  return { port, child };
}
