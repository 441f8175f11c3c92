import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
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

/** No shell can be run where these lie in the place of every shell. */
const NO_SHELL = ['/bin/sh', '/bin/dash', '/bin/bash'].flatMap((path) => [
  '-v',
  `/dev/null:${path}:ro`,
]);
const STARTS = 5;

/**
 * The image as the Dockerfile says that it is run: without Redis, with a folder of configuration
 * and a volume; and without a shell. Answers how long it took from the start of the container to
 * the first response, in ms, for each of some starts.
 */
export async function runsAlone(stack: Stack, folder: string): Promise<readonly number[]> {
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
    '45',
    '-p',
    `127.0.0.1:${port}:8443`,
  ];
  const volumes = ['-v', `${config}:/etc/sallyport:ro`, '-v', `${name}:/var/lib/sallyport`];
  await stack.docker(
    'run',
    '--detach',
    '--name',
    name,
    ...hardened,
    ...NO_SHELL,
    ...volumes,
    stack.image,
  );
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

  const took: number[] = [];
  for (let start = 0; start < STARTS; start += 1) {
    await stack.docker('start', name);
    await until('it responds', () => responds(port));
    took.push(Date.now() - Date.parse(await inspect('.State.StartedAt')));
    await stack.docker('stop', name);
  }
  return took;
}

/** Whether the gate speaks TLS there: the engine takes connections before it does. */
function responds(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    socket.once('secureConnect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('close', () => resolve(false)).once('secureConnect', () => socket.destroy());
  });
}

export async function clearAlone(stack: Stack): Promise<void> {
  await stack.forget('rm', '--force', `${stack.project}-alone`);
  await stack.forget('volume', 'rm', '--force', `${stack.project}-alone`);
}
