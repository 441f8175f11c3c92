import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import { findProgram } from '../system.ts';
import { ask, ended, type Gate, waitUntil } from './gate.ts';

/**
 * HAProxy before some gates: once it passes TCP on, once it ends TLS itself. Its checks are what it
 * sends by default (`OPTIONS / HTTP/1.0`), and what people configure.
 *
 * @param files its own certificate, and who has issued those of the gates
 * @param checkMs how often it asks; two answers in a row change its mind
 */
export async function startHaproxy(
  folder: string,
  gates: readonly Gate[],
  files: { readonly certificateFile: string; readonly keyFile: string; readonly caFile: string },
  checkMs: number,
) {
  const [tcp, http, stats] = [await freePort(), await freePort(), await freePort()];
  const servers = (words: string) =>
    gates
      .map(
        ({ port, opsPort }, n) =>
          `  server gate-${n} 127.0.0.1:${port} check port ${opsPort} ${words}`,
      )
      .join('\n');
  const pem = join(folder, 'haproxy.pem');
  const certificate = [files.certificateFile, files.keyFile].map((file) => readFileSync(file));
  writeFileSync(pem, Buffer.concat(certificate), { mode: 0o600 });
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(
    file,
    `defaults
  timeout connect 10s
  timeout check 10s
  timeout client 60s
  timeout server 60s
  default-server inter ${checkMs}ms fall 2 rise 2
listen tcp
  bind 127.0.0.1:${tcp}
  mode tcp
  balance roundrobin
  option httpchk
${servers('')}
listen http
  bind 127.0.0.1:${http} ssl crt ${pem} alpn http/1.1
  mode http
  balance roundrobin
  option httpchk GET /readyz
${servers(`ssl verify required ca-file ${files.caFile} sni str(localhost) no-check-ssl`)}
listen stats
  bind 127.0.0.1:${stats}
  mode http
  stats enable
  stats uri /
`,
  );
  const child = spawn(findProgram('haproxy')!, ['-db', '-f', file], { stdio: 'ignore' });
  const up = async () => {
    const { body } = await ask(stats, '/;csv');
    const rows = body.split('\n').filter((row) => /^(tcp|http),gate-/.test(row));
    return rows.length === 2 * gates.length && rows.every((row) => row.includes(',UP,'));
  };
  await waitUntil('HAProxy has found the gates', up);
  return { tcp, http, up, stop: () => ended(child) };
}
