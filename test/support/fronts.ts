import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { findProgram, type Part } from './system.ts';
import { startProgram } from './upstreams/upstream.ts';

/** A proxy that asks the decision endpoint, set up by its recipe in config/examples/decision. */
export interface Front {
  readonly name: string;
  /** Null: not of Debian; its program is what the environment names. */
  readonly part: Part | null;
  /** Statuses that it makes of refusals that it does not know. */
  readonly told?: Readonly<Record<number, number>>;
  /** It leaves fields of other methods and targets to the service (docs/DECISION.md). */
  readonly passesOverrides?: boolean;
  start(ports: FrontPorts): Promise<RunningFront>;
}

export interface FrontPorts {
  /** Of the decision endpoint. */
  readonly decision: number;
  /** Of the service. */
  readonly service: number;
}

export interface RunningFront {
  readonly port: number;
  stop(): Promise<void>;
}

const RECIPES = join(import.meta.dirname, '..', '..', 'config', 'examples', 'decision');
const START_TRIES = 3;
const READY_MS = 30_000;

/** As they stand in the recipes. */
const PLACES = { decision: 9444, service: 8080, front: 8081 } as const;

function recipe(name: string, { decision, service }: FrontPorts, front: number): string {
  const ports: Readonly<Record<string, number>> = {
    [PLACES.decision]: decision,
    [PLACES.service]: service,
    [PLACES.front]: front,
  };
  return readFileSync(join(RECIPES, name), 'utf8').replaceAll(
    /(:|port_value: )(9444|8080|8081)\b/g,
    (_all, before: string, port: string) => `${before}${ports[port]}`,
  );
}

/** @param files by name, the first is the one that it is started with */
async function startFront(
  program: string,
  filesOf: (port: number, home: string) => Readonly<Record<string, string>>,
  wordsOf: (home: string, port: number) => readonly string[],
): Promise<RunningFront> {
  const binary = findProgram(program) ?? program;
  const home = mkdtempSync(join(tmpdir(), 'sallyport-front-'));
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    for (const [name, text] of Object.entries(filesOf(port, home)))
      writeFileSync(join(home, name), text);
    const running = startProgram(binary, wordsOf(home, port));
    let said = '';
    for (const stream of [running.child.stdout, running.child.stderr])
      stream?.on('data', (chunk) => {
        said = `${said}${chunk}`.slice(-3000);
      });
    const stop = async () => {
      await running.stop();
      rmSync(home, { recursive: true, force: true });
    };
    if (await listens(port, () => running.child.exitCode !== null)) return { port, stop };
    await running.stop();
    if (attempt === START_TRIES) throw new Error(`${program} does not start: ${said}`);
  }
}

async function listens(port: number, died: () => boolean): Promise<boolean> {
  for (const end = performance.now() + READY_MS; performance.now() < end && !died(); ) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (open) return true;
    await sleep(20);
  }
  return false;
}

/** One process, no daemon: what is started here can be stopped here. */
function nginxAround(http: string, home: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${home}/${kind};`)
    .join(' ');
  return `daemon off; master_process off; pid ${home}/nginx.pid; worker_rlimit_nofile 4096;
events { worker_connections 1024; }
http { access_log off; error_log stderr; ${temporary}
${http}
}
`;
}

const startNginx = (httpOf: (port: number) => string) =>
  startFront(
    'nginx',
    (port, home) => ({ 'nginx.conf': nginxAround(httpOf(port), home) }),
    (home) => ['-p', home, '-c', 'nginx.conf', '-e', 'stderr'],
  );

/**
 * What the controller makes of the annotations in config/examples/decision/ingress-nginx.yaml, as
 * far as it decides what is asked and what is forwarded.
 */
function renderedIngress({ decision, service }: FrontPorts, port: number): string {
  const text = readFileSync(join(RECIPES, 'ingress-nginx.yaml'), 'utf8');
  const names = /auth-response-headers: (\S+)/.exec(text)![1]!.split(',');
  const set = [...text.split('\ndata:\n')[1]!.matchAll(/^ {2}(\S+): (\S+)$/gm)];
  const variable = (name: string) => name.toLowerCase().replaceAll('-', '_');
  return `server {
    listen 127.0.0.1:${port};
    location = /_external-auth {
      internal;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_set_header X-Forwarded-Proto "";
      proxy_set_header X-Request-ID $request_id;
      proxy_set_header Host sallyport.gates.svc.cluster.local;
      proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
      proxy_set_header X-Original-Method $request_method;
      proxy_set_header X-Sent-From "nginx-ingress-controller";
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Auth-Request-Redirect $request_uri;
      ${set.map(([, name, value]) => `proxy_set_header ${name} ${value};`).join('\n')}
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_pass http://127.0.0.1:${decision}/auth-request;
    }
    location / {
      auth_request /_external-auth;
      ${names.map((name) => `auth_request_set $${variable(name)} $upstream_http_${variable(name)}; proxy_set_header ${name} $${variable(name)};`).join('\n')}
      proxy_set_header Host $http_host;
      proxy_set_header X-Request-ID $request_id;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header Connection "";
      proxy_http_version 1.1;
      proxy_pass http://127.0.0.1:${service};
    }
  }`;
}

/** What is neither 401 nor 403 nginx takes for a fault. */
const NGINX_KNOWS = { 400: 500, 404: 500, 405: 500, 429: 500, 503: 500 } as const;

export const FRONTS: readonly Front[] = [
  {
    name: 'nginx',
    part: 'nginx',
    start: (ports) => startNginx((port) => recipe('nginx.conf', ports, port)),
  },
  {
    name: 'ingress-nginx',
    part: 'nginx',
    told: NGINX_KNOWS,
    passesOverrides: true,
    start: (ports) => startNginx((port) => renderedIngress(ports, port)),
  },
  {
    name: 'HAProxy',
    part: 'haproxy',
    start: (ports) =>
      startFront(
        'haproxy',
        (port, home) => ({
          'haproxy.cfg': recipe('haproxy.cfg', ports, port).replace(
            'sallyport.lua',
            join(home, 'sallyport.lua'),
          ),
          'sallyport.lua': recipe('sallyport.lua', ports, port),
        }),
        (home) => ['-db', '-f', join(home, 'haproxy.cfg')],
      ),
  },
  {
    name: 'Caddy',
    part: 'caddy',
    start: (ports) =>
      startFront(
        'caddy',
        (port) => ({ Caddyfile: recipe('Caddyfile', ports, port) }),
        (home) => ['run', '--adapter', 'caddyfile', '--config', join(home, 'Caddyfile')],
      ),
  },
  ...envoy(process.env.ENVOY_BINARY),
];

/** Not of Debian: only where somebody names it. */
function envoy(binary: string | undefined): readonly Front[] {
  if (binary === undefined) return [];
  const words = (home: string) => ['-c', join(home, 'envoy.yaml'), '--use-dynamic-base-id'];
  const by = (name: string) => (ports: FrontPorts) =>
    startFront(binary, (port) => ({ 'envoy.yaml': recipe(name, ports, port) }), words);
  return [
    { name: 'Envoy', part: null, start: by('envoy.yaml') },
    { name: 'Envoy over gRPC', part: null, start: by('envoy-grpc.yaml') },
  ];
}
