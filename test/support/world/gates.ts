import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { storeOwner } from '../../../src/admin/actor.ts';
import { createAdministration } from '../../../src/admin/administration.ts';
import { systemClock } from '../../../src/clock.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { MAIN } from '../main.ts';
import { openWithRegistry } from '../registry.ts';
import { NAMES, PLACES, PORTS } from './places.ts';
import { holds, type Running, run } from './programs.ts';

export interface GateFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
}

export interface GateSettings {
  readonly files: GateFiles;
  /** Keys of `store` beside its kind. */
  readonly store: Readonly<Record<string, unknown>>;
  /** By name, beside `service`. */
  readonly upstreams?: Readonly<Record<string, unknown>>;
  readonly routes?: readonly unknown[];
  /** Keys of the upstream `service` beside its address. */
  readonly service?: Readonly<Record<string, unknown>>;
  readonly lameDuckMs: number;
}

/** A gate as it is run: a process with a configuration file. */
export interface WorldGate {
  readonly file: string;
  log(): string;
  readyz(): Promise<{ readonly ready: boolean; readonly checks: readonly WorldCheck[] }>;
  /** Drained by SIGTERM and begun anew; the exit code of the one that was there. */
  restart(): Promise<number | null>;
  stop(): Promise<number | null>;
}

export interface WorldCheck {
  readonly name: string;
  readonly state: string;
  readonly why?: string;
}

/** A gate in each place, on the same store. */
export async function startGates(
  folder: string,
  settings: GateSettings,
): Promise<readonly WorldGate[]> {
  const starting = PLACES.gates.map((host, n) => startGate(folder, `gate-${n}`, host, settings));
  const ended = await Promise.allSettled(starting);
  if (ended.every((one) => one.status === 'fulfilled')) return Promise.all(starting);
  for (const one of ended) if (one.status === 'fulfilled') await one.value.stop();
  throw ended.find((one) => one.status === 'rejected')?.reason;
}

async function startGate(
  folder: string,
  name: string,
  host: string,
  settings: GateSettings,
): Promise<WorldGate> {
  mkdirSync(join(folder, name));
  const file = join(folder, `${name}.yaml`);
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(configuration(join(folder, name), name, host, settings)));
  const readyz = async () => {
    const response = await fetch(`http://${host}:${PORTS.ops}/readyz`);
    return (await response.json()) as Awaited<ReturnType<WorldGate['readyz']>>;
  };
  const start = async (): Promise<Running> => {
    const started = run(process.execPath, [MAIN, 'serve', '--config', file]);
    await holds(`${name} is ready`, async () => (await readyz()).ready).catch(
      async (error: Error) => {
        await started.end('SIGKILL');
        throw new Error(`${error.message}: ${started.said().slice(-2000)}`);
      },
    );
    return started;
  };
  let running = await start();
  return {
    file,
    log: () => running.said(),
    readyz,
    restart: async () => {
      const code = await running.end();
      running = await start();
      return code;
    },
    stop: () => running.end('SIGKILL'),
  };
}

function configuration(dataDir: string, name: string, host: string, settings: GateSettings) {
  const { files, store, service = {}, upstreams = {}, routes = [], lameDuckMs } = settings;
  return {
    instance: { name, dataDir, lameDuckMs },
    listen: {
      proxy: {
        address: `${host}:${PORTS.gate}`,
        tls: { certificates: [files] },
        trustedProxies: [PLACES.httpFront, PLACES.nginxFront],
        proxyProtocol: { peers: [PLACES.tcpFront] },
      },
      ops: { address: `${host}:${PORTS.ops}` },
    },
    store: { kind: 'redis', ...store },
    upstreams: { service: { addresses: [`http://${NAMES.service}`], ...service }, ...upstreams },
    routes: [
      ...routes,
      {
        name: 'all',
        path: '/**',
        methods: ['GET', 'HEAD', 'POST', 'PUT'],
        application: 'any',
        permission: 'test:all',
        upstream: 'service',
      },
    ],
  };
}

/** A registry in the store of this configuration, and the token of an account in it. */
export async function makeAccount(folder: string, settings: GateSettings): Promise<string> {
  const place = join(folder, 'making');
  mkdirSync(place);
  const text = JSON.stringify(configuration(place, 'making', '127.0.0.1', settings));
  const { config } = parseConfig(text, join(folder, 'making.yaml'));
  const stores = await openWithRegistry(config);
  try {
    const administration = createAdministration({ ...stores, clock: systemClock, instance: null });
    const owner = storeOwner('test', 'command-line');
    const role = { name: 'tester', description: '', permissions: ['test:*'] };
    await administration.createRole(owner, role);
    const fields = { name: 'caller', description: '', role: 'tester' };
    return (await administration.createServiceAccount(owner, fields)).token;
  } finally {
    await stores.close();
  }
}
