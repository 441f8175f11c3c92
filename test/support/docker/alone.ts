import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../src/clock.ts';
import { ensureLocalCertificate } from '../../../src/tls/local-ca.ts';
import { freePort } from '../free-port.ts';
import { type Stack, until } from './stack.ts';

const CONFIG = `
instance: { name: alone, dataDir: /var/lib/sallyport }
listen:
  proxy: { address: "0.0.0.0:8443", tls: { certificates: [{ certificateFile: tls.crt, keyFile: tls.key }] } }
  ops: { address: "127.0.0.1:9464" }
store: { kind: embedded }
upstreams: { nothing: { addresses: ["http://127.0.0.1:9"] } }
routes: [{ name: all, path: /**, methods: [GET], application: any, permission: all:use, upstream: nothing }]
`;

/**
 * The image as the Dockerfile says that it is run: without Redis, with a folder of configuration
 * and a volume.
 */
export async function runsAlone(stack: Stack, folder: string): Promise<void> {
  const name = `${stack.project}-alone`;
  const config = join(folder, 'alone');
  mkdirSync(config);
  await ensureLocalCertificate(config, systemClock.wallMs());
  writeFileSync(join(config, 'sallyport.yaml'), CONFIG);
  // The user in the container is another than ours.
  for (const path of ['', 'sallyport.yaml', 'tls.crt', 'tls.key'])
    chmodSync(join(config, path), path === '' ? 0o755 : 0o644);

  const port = await freePort();
  const hardened = [
    '--read-only',
    '--tmpfs',
    '/tmp',
    '--cap-drop',
    'ALL',
    '--stop-timeout',
    '40',
    '-p',
    `127.0.0.1:${port}:8443`,
  ];
  const volumes = ['-v', `${config}:/etc/sallyport:ro`, '-v', `${name}:/var/lib/sallyport`];
  await stack.docker('run', '--detach', '--name', name, ...hardened, ...volumes, stack.image);
  const inspect = (field: string) =>
    stack.docker('inspect', '--format', `{{${field}}}`, name).then((text) => text.trim());
  await until('it is healthy', async () => {
    if ((await inspect('.State.Status')) === 'exited')
      throw new Error(`it ended: ${await stack.logs(name)}`);
    return (await inspect('.State.Health.Status')) === 'healthy';
  });

  const words = ['exec', name, 'sallyport', 'account', 'create', 'ci', '--role', 'administrator'];
  const created = await stack.docker(...words, '--config', '/etc/sallyport/sallyport.yaml');
  const curl = (token?: string) =>
    stack.curl(`https://localhost:${port}/x`, token, '--cacert', join(config, 'ca.pem'));
  assert.equal((await curl()).status, 401);
  assert.equal((await curl(created.trim())).status, 502, 'let in, and there is nothing behind');
  await stack.docker('stop', name);
  assert.equal(await inspect('.State.ExitCode'), '0');
}

export async function clearAlone(stack: Stack): Promise<void> {
  await stack.forget('rm', '--force', `${stack.project}-alone`);
  await stack.forget('volume', 'rm', '--force', `${stack.project}-alone`);
}
