import { join } from 'node:path';
import { KEY_PREFIX } from '../callers.ts';
import { freePort, startChild } from '../children.ts';
import type { Stage } from '../stage.ts';
import type { Peer } from './peer.ts';

const ROOT = join(import.meta.dirname, '../../..');
const BASE = '/lifetimeapi/rest/v2/applications/{application}/**';

export const sallyportBuffered = sallyport(
  'buffered',
  'Redis stream, decision and outcome, at most 50 ms later',
);
export const sallyportAcknowledged = sallyport(
  'acknowledged',
  'Redis stream, decision before the answer, outcome after it',
);

/**
 * This project, as it is started by everybody else: the command line, a configuration file, Redis.
 * Nothing is switched off.
 */
function sallyport(guarantee: 'buffered' | 'acknowledged', record: string): Peer {
  return {
    name: `sallyport-${guarantee}`,
    about: `this project, \`audit.guarantee: ${guarantee}\``,
    does: { verify: 'Redis, cached under a lease', inject: 'yes', record },
    missing: () => null,
    async start(stage, secure) {
      const folder = stage.folder(`sallyport-${guarantee}-${secure}`);
      const port = await freePort();
      const opsPort = await freePort();
      const config = stage.file(
        folder,
        'bench.yaml',
        JSON.stringify(configOf(stage, { guarantee, secure, folder, port, opsPort })),
      );
      const child = await startChild({
        cpus: stage.cpus.proxy,
        command: join(ROOT, 'bin/sallyport'),
        words: ['serve', '--config', config],
        ready: () => isReady(opsPort),
      });
      return { port, pids: [child.pid], compiles: true, stop: () => child.stop() };
    },
  };
}

interface Place {
  readonly guarantee: string;
  readonly secure: boolean;
  readonly folder: string;
  readonly port: number;
  readonly opsPort: number;
}

/** JSON is YAML. */
function configOf(stage: Stage, { guarantee, secure, folder, port, opsPort }: Place): object {
  const route = { path: BASE, application: '{application}', upstream: 'deployments' };
  return {
    instance: { name: 'bench', dataDir: join(folder, 'data'), lameDuckMs: 0, drainMs: 1000 },
    listen: {
      proxy: {
        address: `127.0.0.1:${port}`,
        ...(secure ? { tls: { certificates: [stage.certificate] } } : { plaintext: true }),
      },
      ops: { address: `127.0.0.1:${opsPort}` },
    },
    store: { kind: 'redis', url: `redis://127.0.0.1:${stage.redisPort}`, keyPrefix: KEY_PREFIX },
    // Every refusal as an event of its own, as the other peers write it: floods are not folded
    // here.
    audit: { guarantee, foldRefusalsAfter: 1_000_000 },
    upstreams: { deployments: { addresses: [`http://127.0.0.1:${stage.upstream.port}`] } },
    // As long as the other peers keep them.
    limits: { idleTimeoutMs: 3_600_000 },
    routes: [
      { ...route, name: 'read', methods: ['GET', 'HEAD'], permission: 'deployments:read' },
      {
        ...route,
        name: 'write',
        methods: ['POST', 'PUT', 'DELETE'],
        permission: 'deployments:write',
      },
    ],
  };
}

async function isReady(opsPort: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${opsPort}/readyz`)).ok;
  } catch {
    return false;
  }
}
