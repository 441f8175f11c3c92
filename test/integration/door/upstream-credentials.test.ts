import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checked, loadChecked } from '../../../src/cli/load.ts';
import type { ConfigFaults } from '../../../src/config/faults.ts';
import { ConfigReloader } from '../../../src/config/reload.ts';
import { startGateway } from '../../support/gateway.ts';
import { valuesOf } from '../../support/http-bytes.ts';
import { connectRaw } from '../../support/raw-client.ts';
import { startRawUpstream } from '../../support/raw-upstream.ts';

/** A Secret as Kubernetes mounts it: the name leads through `..data`, which is swapped. */
function mountSecret(folder: string, version: string, value: string): void {
  mkdirSync(join(folder, version));
  writeFileSync(join(folder, version, 'token'), `${value}\n`, { mode: 0o600 });
  symlinkSync(version, join(folder, '..next'));
  renameSync(join(folder, '..next'), join(folder, '..data'));
}

it('gives an upstream its own credential, health checks included, and the next one once it is rotated', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-credential-'));
  const file = join(folder, 'gate.yaml');
  mountSecret(folder, '..v1', 'first-credential');
  symlinkSync('..data/token', join(folder, 'token'));
  const headers = {
    set: { Authorization: { valueFile: join(folder, 'token'), prefix: 'Bearer ' } },
  };
  const healthCheck = { path: '/health', intervalMs: 100 };
  const upstream = await startRawUpstream();
  const upstreams = { raw: { addresses: [upstream.url], headers, healthCheck } };
  const gate = await startGateway({ upstreams, plaintext: true });
  writeFileSync(file, JSON.stringify({ listen: { ops: {} }, upstreams }));
  let refused: unknown = null;
  const reloader = new ConfigReloader(
    loadChecked(file),
    { ...checked(), quietMs: 20, pollMs: 100 },
    {
      apply: ({ config }) =>
        gate.gateway.reload({
          ...gate.config,
          ...config,
          ...{
            instance: gate.config.instance,
            listen: gate.config.listen,
            routes: gate.config.routes,
          },
        }),
      refused: (fault) => {
        refused = fault;
      },
    },
  );
  try {
    const seen = async (path: string): Promise<string | undefined> => {
      const client = await connectRaw({ port: gate.port });
      await client.send(
        `GET ${path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${gate.token}\r\nConnection: close\r\n\r\n`,
      );
      await client.waitForClose();
      const own = upstream.requests.filter(({ line }) => line.includes(path)).at(-1);
      return own === undefined ? undefined : valuesOf(own, 'authorization').join();
    };
    expect(await seen('/before')).toBe('Bearer first-credential');
    await upstream.waitFor('a health check with the credential', ({ requests }) =>
      requests.some(
        (one) =>
          one.line.includes('/health') &&
          valuesOf(one, 'authorization').join() === 'Bearer first-credential',
      ),
    );
    mountSecret(folder, '..v2', 'second-credential');
    await expect.poll(() => seen('/after'), { timeout: 30_000 }).toBe('Bearer second-credential');
    expect(refused).toBeNull();
    const told = gate.log.join('') + JSON.stringify(await gate.events());
    expect(told).not.toMatch(/(?:first|second)-credential/);
    expect(upstream.bytes.toString('latin1')).not.toContain(gate.token);
  } finally {
    await reloader.close();
    await gate.stop();
    await upstream.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

it('names in check each field that is not the configuration’s to decide about', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-credential-'));
  const file = join(folder, 'gate.yaml');
  const open = { application: 'any', permission: 'a:read', upstream: 'raw', methods: ['GET'] };
  try {
    writeFileSync(join(folder, 'token'), 'credential', { mode: 0o600 });
    const set = { Authorization: { valueFile: 'token' }, 'X-Account-Name': { valueFile: 'token' } };
    const upstreams = { raw: { addresses: ['http://a'], headers: { set } } };
    const routes = [
      { ...open, name: 'a', path: '/a', headers: { remove: ['Host', 'Content-Length'] } },
      { ...open, name: 'b', path: '/b', forwardAuthorization: true },
    ];
    writeFileSync(file, JSON.stringify({ listen: { ops: {} }, upstreams, routes }));
    let said: readonly string[] = [];
    try {
      loadChecked(file);
    } catch (fault) {
      said = (fault as ConfigFaults).faults.map(({ path, message }) => `${path}: ${message}`);
    }
    expect(said.map((one) => one.slice(0, 70))).toEqual([
      expect.stringMatching(/^upstreams\.raw\.headers\.set\.X-Account-Name: the gate itself/),
      expect.stringMatching(/^routes\[0\]\.headers\.remove\[0\]: the Host of requests/),
      expect.stringMatching(/^routes\[0\]\.headers\.remove\[1\]: the gate itself/),
      expect.stringMatching(/^routes\[1\]\.forwardAuthorization: the upstream gets/),
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
