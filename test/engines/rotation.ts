import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigReloader } from '../../src/config/reload.ts';
import { type GatewayOptions, startGateway, type TestGateway } from '../support/gateway.ts';
import { exchange } from '../support/raw-client.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

/** A gate that follows its configuration and the files that it names, as `serve` does. */
export interface FollowingGate {
  readonly gate: TestGateway;
  /** The status of one call that is recorded before it goes on. */
  call(): Promise<string>;
  /** What `/readyz` says of the secrets; null when it has nothing to say. */
  secrets(): string | null;
  /** Calls one after another until it is told to end; the statuses that were not 200. */
  keepCalling(): { end(): Promise<{ readonly calls: number; readonly failed: readonly string[] }> };
  stop(): Promise<void>;
}

const QUICKLY = { quietMs: 20, pollMs: 1_000 };

export async function startFollowing(
  options: Pick<GatewayOptions, 'store' | 'administratorStore' | 'leaseMs' | 'config'>,
): Promise<FollowingGate> {
  const upstream = await startRawUpstream();
  const upstreams = { api: { addresses: [upstream.url] } };
  const gate = await startGateway({ ...options, upstreams, plaintext: true });
  const file = join(gate.dataDir, 'test.yaml');
  writeFileSync(file, gate.text);
  const reloader = new ConfigReloader(loadConfig(file), QUICKLY, {
    apply: ({ config }) => gate.gateway.reload(config),
    refused: (fault) => gate.gateway.reloadRefused(String(fault)),
  });
  let stopped = false;
  const call = async () => {
    const fields = `Host: h\r\nAuthorization: Bearer ${gate.token}\r\nContent-Length: 0`;
    const pieces = [`POST / HTTP/1.1\r\n${fields}\r\nConnection: close\r\n\r\n`];
    return (await exchange({ port: gate.port, pieces })).text.slice(9, 12);
  };
  return {
    gate,
    call,
    secrets: () => {
      const found = gate.gateway.readiness.checks.find(({ name }) => name === 'secrets');
      return found === undefined || found.state === 'ok' ? null : found.why;
    },
    keepCalling: () => {
      let [calls, ended] = [0, false];
      const failed: string[] = [];
      const done = (async () => {
        while (!ended && !stopped) {
          const status = await call();
          calls += 1;
          if (status !== '200') failed.push(status);
          await sleep(2);
        }
      })();
      return {
        end: async () => {
          ended = true;
          await done;
          return { calls, failed };
        },
      };
    },
    stop: async () => {
      stopped = true;
      await reloader.close();
      await gate.stop();
      await upstream.stop();
    },
  };
}
