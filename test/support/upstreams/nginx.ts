import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../free-port.ts';
import { findProgram } from '../system.ts';
import { startProgram, type Upstream } from './upstream.ts';

export interface Nginx extends Upstream {
  /** Where `PUT /uploads/NAME` puts NAME. */
  readonly uploads: string;
}

const START_TRIES = 3;
const READY_MS = 30_000;

/**
 * nginx with the folder under `/files/`, WebDAV's PUT under `/uploads/`, and `POST /empty` (201).
 * It makes no event streams of its own. Throws when nginx is not installed or does not come up.
 */
export async function startNginx(folder: string): Promise<Nginx> {
  const binary = findProgram('nginx');
  if (binary === null) throw new Error('nginx is not installed');
  const home = mkdtempSync(join(tmpdir(), 'sallyport-nginx-'));
  const uploads = join(home, 'root', 'uploads');
  mkdirSync(uploads, { recursive: true });
  symlinkSync(folder, join(home, 'root', 'files'));
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    writeFileSync(join(home, 'nginx.conf'), configuration(home, port));
    const program = startProgram(binary, ['-p', home, '-c', 'nginx.conf', '-e', 'stderr']);
    let said = '';
    program.child.stderr?.on('data', (chunk) => {
      said = `${said}${chunk}`.slice(-2000);
    });
    const stop = async () => {
      await program.stop();
      rmSync(home, { recursive: true, force: true });
    };
    const url = `http://127.0.0.1:${port}`;
    if (await answers(url, () => program.child.exitCode !== null)) return { url, uploads, stop };
    await program.stop();
    if (attempt === START_TRIES) throw new Error(`nginx does not start: ${said}`);
  }
}

/**
 * One process, no daemon: what is started here can be stopped here. As root it would give its work
 * to another user, who may not read.
 */
function configuration(home: string, port: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${home}/${kind};`)
    .join('\n  ');
  return `
daemon off;
master_process off;
pid ${home}/nginx.pid;
worker_rlimit_nofile 4096;
events { worker_connections 1024; }
http {
  access_log off;
  error_log stderr;
  ${temporary}
  client_max_body_size 0;
  default_type application/octet-stream;
  server {
    listen 127.0.0.1:${port};
    root ${home}/root;
    location /uploads/ { dav_methods PUT DELETE; }
    location = /empty { return 201 "made\\n"; }
    location = /ready { return 200 "ready\\n"; }
  }
}
`;
}

async function answers(url: string, died: () => boolean): Promise<boolean> {
  for (
    const end = performance.now() + READY_MS;
    performance.now() < end && !died();
    await sleep(20)
  ) {
    const answer = await fetch(`${url}/ready`, { headers: { connection: 'close' } }).catch(
      () => null,
    );
    if (answer !== null && (await answer.text()) === 'ready\n') return true;
  }
  return false;
}
