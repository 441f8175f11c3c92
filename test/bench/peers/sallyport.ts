import { join } from 'node:path';
import { KEY_PREFIX } from '../callers.ts';
import { freePort, startChild } from '../children.ts';
import { SERVICES } from '../mixed.ts';
import type { TargetName } from '../names.ts';
import type { Stage } from '../stage.ts';
import type { Peer } from './peer.ts';

const ROOT = join(import.meta.dirname, '../../..');
const BASE = '/lifetimeapi/rest/v2/applications/{application}/**';

export const sallyportBuffered = sallyport('sallyport-buffered', {
  guarantee: 'buffered',
  record: 'Redis stream, decision and outcome, at most 50 ms later',
  root: () => ROOT,
});
export const sallyportAcknowledged = sallyport('sallyport-acknowledged', {
  guarantee: 'acknowledged',
  record: 'Redis stream, decision before the answer, outcome after it',
  root: () => ROOT,
});
/** Another state of this project, for paired figures of a change. */
export const sallyportBeside = sallyport('sallyport-beside', {
  guarantee: 'buffered',
  record: 'Redis stream, decision and outcome, at most 50 ms later',
  root: (stage) => stage.beside,
});

interface Checkout {
  readonly guarantee: 'buffered' | 'acknowledged';
  readonly record: string;
  readonly root: (stage: Stage) => string | null;
}

/**
 * This project, as it is started by everybody else: the command line, a configuration file, Redis.
 * Nothing is switched off.
 */
function sallyport(name: TargetName, { guarantee, record, root }: Checkout): Peer {
  return {
    name,
    about: `this project${name === 'sallyport-beside' ? ', another checkout' : ''}, \`audit.guarantee: ${guarantee}\``,
    does: { verify: 'Redis, cached under a lease', inject: 'yes', record },
    missing: () => null,
    async start(stage, secure) {
      const folder = stage.folder(`${name}-${secure}`);
      const port = await freePort();
      const opsPort = await freePort();
      const config = stage.file(
        folder,
        'bench.yaml',
        JSON.stringify(configOf(stage, { guarantee, secure, folder, port, opsPort })),
      );
      const child = await startChild({
        cpus: stage.cpus.proxy,
        command: join(root(stage) ?? ROOT, 'bin/sallyport'),
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
    // As long as the other peers keep them, and as many of one address.
    limits: { idleTimeoutMs: 3_600_000, connectionsPerAddress: 20_000 },
    routes: [
      ...routesOf('', BASE),
      ...SERVICES.flatMap((name) => routesOf(`${name}-`, `/services/${name}/{application}/**`)),
    ],
  };
}

function routesOf(prefix: string, path: string): readonly object[] {
  const route = { path, application: '{application}', upstream: 'deployments' };
  const read = { methods: ['GET', 'HEAD'], permission: 'deployments:read' };
  const write = { methods: ['POST', 'PUT', 'DELETE'], permission: 'deployments:write' };
  return [
    { ...route, name: `${prefix}read`, ...read },
    { ...route, name: `${prefix}write`, ...write },
  ];
}

async function isReady(opsPort: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${opsPort}/readyz`)).ok;
  } catch {
    return false;
  }
}
