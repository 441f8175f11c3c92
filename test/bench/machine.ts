import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release } from 'node:os';

/** Where and when: figures mean nothing without it. */
export interface Machine {
  readonly date: string;
  readonly text: string;
}

export function machine(): Machine {
  const [one = 0, five = 0] = loadavg();
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? 'unknown model';
  const parts = [
    `${processors.length} processors (${model})`,
    `Linux ${release()}`,
    `Node ${process.versions.node} with OpenSSL ${process.versions.openssl}`,
    nginxVersion(),
    `load average at the end ${one.toFixed(1)} (1 min), ${five.toFixed(1)} (5 min)`,
  ];
  return { date: new Date().toISOString().slice(0, 10), text: parts.join('; ') };
}

/** `nginx -V` speaks on standard error. */
function nginxVersion(): string {
  try {
    const said = execFileSync('sh', ['-c', 'PATH=$PATH:/usr/sbin nginx -V 2>&1'], {
      encoding: 'utf8',
    });
    const [, version = '?'] = /nginx version: nginx\/(\S+)/.exec(said) ?? [];
    const [, openssl = '?'] = /(?:built|running) with OpenSSL (\S+)/.exec(said) ?? [];
    return `nginx ${version} with OpenSSL ${openssl}`;
  } catch {
    return 'no nginx';
  }
}
