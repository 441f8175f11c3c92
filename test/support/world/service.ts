import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../system.ts';
import { PORTS } from './places.ts';
import { holds, listens, type Running, run } from './programs.ts';

/** nginx with a master and a worker, as distributions start it: SIGQUIT ends it gracefully. */
export interface Service {
  /** Ends and begins anew, as a deployment does with one pod after the other. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Says who it is, and whom the gate says is calling. */
export async function startService(folder: string, host: string): Promise<Service> {
  const home = join(folder, `service-${host}`);
  mkdirSync(home);
  const start = async (): Promise<Running> => {
    writeFileSync(join(home, 'nginx.conf'), configuration(home, host));
    const words = ['-p', home, '-c', 'nginx.conf', '-e', 'stderr'];
    const running = run(findProgram('nginx')!, words);
    await holds(`a service listens on ${host}`, () => listens(host, PORTS.service));
    return running;
  };
  let running = await start();
  return {
    restart: async () => {
      await running.end('SIGQUIT');
      running = await start();
    },
    stop: async () => {
      await running.end();
    },
  };
}

const temporary = (home: string) =>
  ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${home}/${kind};`)
    .join('\n  ');

/** Of nginx in the world: what stands in its `http` block. */
export function nginxConfiguration(home: string, http: string): string {
  return `
daemon off;
user root;
worker_processes 1;
pid ${home}/nginx.pid;
error_log stderr error;
worker_rlimit_nofile 4096;
events { worker_connections 1024; }
http {
  access_log off;
  ${temporary(home)}
  client_max_body_size 0;
  ${http}
}
`;
}

function configuration(home: string, host: string): string {
  return nginxConfiguration(
    home,
    `default_type text/plain;
  keepalive_requests 1000000;
  server {
    listen ${host}:${PORTS.service};
    location / { return 200 "${host} $http_x_account_name $http_x_service_key\\n"; }
  }`,
  );
}
