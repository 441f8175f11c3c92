import { join } from 'node:path';
import { KEY_PREFIX } from '../callers.ts';
import { freePort, startChild } from '../children.ts';
import { SERVICES } from '../mixed.ts';
import type { TargetName } from '../names.ts';
import type { Stage } from '../stage.ts';
import type { Peer, RunningPeer } from './peer.ts';
import { unchainedCopy } from './unchained.ts';

const ROOT = join(import.meta.dirname, '../../..');
const BASE = '/lifetimeapi/rest/v2/applications/{application}/**';

const BUFFERED = {
  guarantee: 'buffered',
  record: 'Redis stream, decision and outcome, at most 50 ms later',
  root: () => ROOT,
} as const;
export const sallyportBuffered = sallyport('sallyport-buffered', BUFFERED);
export const sallyportAcknowledged = sallyport('sallyport-acknowledged', {
  guarantee: 'acknowledged',
  record: 'Redis stream, decision before the answer, outcome after it',
  root: () => ROOT,
});
/** Without the chain, which no configuration can switch off. */
export const sallyportUnchained = sallyport('sallyport-unchained', {
  ...BUFFERED,
  what: 'without the chain of audit events',
  root: (stage, folder) => unchainedCopy(ROOT, stage.folder(`${folder}/copy`)),
});
export const sallyportTruncated = sallyport('sallyport-truncated', {
  ...BUFFERED,
  audit: { clientAddress: 'truncated' },
});
export const sallyportHashed = sallyport('sallyport-hashed', {
  ...BUFFERED,
  audit: { clientAddress: 'hashed' },
});
/** Three fields that some of the clients of mixed-clients.ts send. */
export const sallyportHeaders = sallyport('sallyport-headers', {
  ...BUFFERED,
  audit: { headers: ['accept', 'accept-encoding', 'content-type'] },
});
/** Another state of this project, for paired figures of a change. */
export const sallyportBeside = sallyport('sallyport-beside', {
  ...BUFFERED,
  what: 'another checkout',
  root: (stage) => stage.beside,
});

interface Checkout {
  readonly guarantee: 'buffered' | 'acknowledged';
  readonly record: string;
  /** What is different in it; absent: what `audit` says, if anything. */
  readonly what?: string;
  /** Keys of `audit` that are not as they are by default. */
  readonly audit?: object;
  /** @param folder the name of one of its own */
  readonly root: (stage: Stage, folder: string) => string | null;
}

/**
 * This project, as it is started by everybody else: the command line, a configuration file, Redis.
 * Nothing is switched off.
 */
function sallyport(name: TargetName, checkout: Checkout): Peer {
  const { guarantee, record, audit = {}, root } = checkout;
  const what = checkout.what ?? wordsOf(audit);
  return {
    name,
    about: `this project${what === '' ? '' : `, ${what}`}, \`audit.guarantee: ${guarantee}\``,
    does: { verify: 'Redis, cached under a lease', inject: 'yes', record },
    missing: () => null,
    start: (stage, secure) =>
      startGate(stage, name, {
        audit: { guarantee, ...audit },
        secure,
        root: (folder) => root(stage, folder),
      }),
  };
}

function wordsOf(audit: object): string {
  return Object.entries(audit)
    .map(([key, value]) => `\`audit.${key}: ${value}\``)
    .join(', ');
}

interface GateOptions {
  readonly audit: object;
  readonly secure: boolean;
  /** Of the checkout, by the name of the folder of this peer; null: this one. */
  readonly root?: (folder: string) => string | null;
  /** Of a decision endpoint; null: there is none. */
  readonly decisionPort?: number | null;
  /** Of a service of gRPC (h2c), which callers of HTTP/2 reach; null: there is none. */
  readonly grpcPort?: number | null;
  /** Of a server of WebSocket; null: there is none. */
  readonly wsPort?: number | null;
  /** Whether clients are offered HTTP/2. */
  readonly http2?: boolean;
}

export async function startGate(
  stage: Stage,
  name: string,
  {
    audit,
    secure,
    root,
    decisionPort = null,
    grpcPort = null,
    wsPort = null,
    http2 = grpcPort !== null,
  }: GateOptions,
): Promise<RunningPeer> {
  const folderName = `${name}-${secure}`;
  const folder = stage.folder(folderName);
  const port = await freePort();
  const opsPort = await freePort();
  const place = { audit, secure, folder, port, opsPort, decisionPort, grpcPort, wsPort, http2 };
  const config = stage.file(folder, 'bench.yaml', JSON.stringify(configOf(stage, place)));
  const child = await startChild({
    cpus: stage.cpus.proxy,
    command: join(root?.(folderName) ?? ROOT, 'bin/sallyport'),
    words: ['serve', '--config', config],
    ready: () => isReady(opsPort),
  });
  return { port, pids: [child.pid], compiles: true, stop: () => child.stop() };
}

interface Place {
  readonly audit: object;
  readonly secure: boolean;
  readonly folder: string;
  readonly port: number;
  readonly opsPort: number;
  readonly decisionPort: number | null;
  readonly grpcPort: number | null;
  readonly wsPort: number | null;
  readonly http2: boolean;
}

/** JSON is YAML. */
function configOf(
  stage: Stage,
  { audit, secure, folder, port, opsPort, decisionPort, grpcPort, wsPort, http2 }: Place,
): object {
  const asked = { address: `127.0.0.1:${decisionPort}`, peers: ['127.0.0.1'] };
  return {
    instance: { name: 'bench', dataDir: join(folder, 'data'), lameDuckMs: 0, drainMs: 1000 },
    listen: {
      proxy: {
        address: `127.0.0.1:${port}`,
        ...(secure ? { tls: { certificates: [stage.certificate] } } : { plaintext: true }),
        http2: { enabled: http2 },
      },
      ops: { address: `127.0.0.1:${opsPort}` },
      ...(decisionPort === null ? {} : { decision: asked }),
    },
    store: { kind: 'redis', url: `redis://127.0.0.1:${stage.redisPort}`, keyPrefix: KEY_PREFIX },
    // Every refusal as an event of its own, as the other peers write it: floods are not folded
    // here.
    audit: { ...audit, foldRefusalsAfter: 1_000_000 },
    upstreams: {
      deployments: { addresses: [`http://127.0.0.1:${stage.upstream.port}`] },
      ...(grpcPort === null ? {} : { echo: grpcUpstream(grpcPort) }),
      ...(wsPort === null ? {} : { ws: { addresses: [`http://127.0.0.1:${wsPort}`] } }),
    },
    // As long as the other peers keep them, and as many of one address.
    limits: { idleTimeoutMs: 3_600_000, connectionsPerAddress: 20_000 },
    routes: [
      ...routesOf('', BASE),
      ...(grpcPort === null ? [] : [GRPC_ROUTE]),
      ...(wsPort === null ? [] : [WS_ROUTE]),
      ...SERVICES.flatMap((name) => routesOf(`${name}-`, `/services/${name}/{application}/**`)),
    ],
  };
}

const grpcUpstream = (port: number) => ({
  addresses: [`http://127.0.0.1:${port}`],
  protocol: 'h2c',
});
const GRPC_ROUTE = {
  name: 'grpc',
  path: '/bench.Echo/**',
  methods: ['POST'],
  application: 'crm',
  permission: 'deployments:read',
  upstream: 'echo',
};

const WS_ROUTE = {
  name: 'ws',
  path: '/ws/**',
  methods: ['GET'],
  upgrade: ['websocket'],
  application: 'crm',
  permission: 'deployments:read',
  upstream: 'ws',
};

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
