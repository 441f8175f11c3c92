import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { asAdmin } from '../support/redis-replication.ts';
import { startRedis } from '../support/redis-server.ts';
import { issueRedisCertificates, type KeyedCertificate } from '../support/redis-tls.ts';
import { requireOrSkip } from '../support/system.ts';
import { startFollowing } from './rotation.ts';

// Only reached when what is waited for does not happen.
const LIMIT = { timeout: 60_000, interval: 20 };
vi.setConfig({ testTimeout: 120_000 });

/** A Redis that speaks TLS and asks for client certificates, and our files of both. */
async function secured(ctx: Parameters<typeof requireOrSkip>[0], version = 'TLSv1.3') {
  requireOrSkip(ctx, 'redis-server', 'openssl');
  const certificates = issueRedisCertificates();
  const redis = await startRedis({ certificates, config: ['--tls-protocols', version] });
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-secret-'));
  const ours = {
    caFile: join(folder, 'ca.pem'),
    certificateFile: join(folder, 'gate.pem'),
    keyFile: join(folder, 'gate.key'),
  };
  const trusts = (file: string) => copyFileSync(file, ours.caFile);
  const shows = ({ certificateFile, keyFile }: KeyedCertificate) => {
    copyFileSync(certificateFile, ours.certificateFile);
    copyFileSync(keyFile, ours.keyFile);
  };
  trusts(certificates.caFile);
  shows(certificates.client);
  onTestFinished(async () => {
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const store = { url: `rediss://127.0.0.1:${redis.tlsPort}`, tls: ours };
  // What a gate that is shut out lets in ends with its lease, which is waited for.
  const following = await startFollowing({
    store,
    administratorStore: { url: redis.url },
    leaseMs: 5_000,
  });
  onTestFinished(() => following.stop());
  const set = (...words: readonly string[]) =>
    asAdmin(redis, null, (root) => root.call('CONFIG', 'SET', ...words));
  /** Ends all connections but those of the administrator. */
  const cut = () => asAdmin(redis, null, (root) => root.call('CLIENT', 'KILL', 'TYPE', 'normal'));
  return { certificates, trusts, shows, set, cut, ...following };
}

it('takes over another CA, whichever comes first, and trusts the former one no more', async (ctx) => {
  const { certificates, trusts, set, cut, call, secrets, keepCalling } = await secured(ctx);
  const { server, stranger, caFile } = certificates;
  const serves = (one: KeyedCertificate) =>
    set('tls-cert-file', one.certificateFile, 'tls-key-file', one.keyFile);
  // The file first.
  trusts(stranger.caFile);
  await vi.waitFor(() => expect(secrets()).toMatch(/^store\.tls\.caFile: .*(CERT|SIGN)/), LIMIT);
  expect(await call()).toBe('200');
  await cut();
  await vi.waitFor(async () => expect(await call()).toBe('503'), LIMIT);
  await serves(stranger);
  await vi.waitFor(async () => expect(await call()).toBe('200'), LIMIT);
  await vi.waitFor(() => expect(secrets()).toBe(null), LIMIT);
  // The server first.
  const calling = keepCalling();
  await serves(server);
  trusts(caFile);
  await vi.waitFor(() => expect(secrets()).toMatch(/caFile/), LIMIT);
  await vi.waitFor(() => expect(secrets()).toBe(null), LIMIT);
  expect((await calling.end()).failed).toEqual([]);
});

// A refused certificate ends the handshake of the one, and what comes after it in the other.
it.for(['TLSv1.2', 'TLSv1.3'])(
  'takes over another certificate of its own by %s, and shows the former one until then',
  async (version, ctx) => {
    const { certificates, shows, set, cut, call, secrets } = await secured(ctx, version);
    const { stranger, client, caFile } = certificates;
    shows(stranger);
    await vi.waitFor(() => expect(secrets()).toMatch(/certificateFile: .* is not taken/), LIMIT);
    await cut();
    await vi.waitFor(async () => expect(await call()).toBe('200'), LIMIT);
    expect(secrets()).toMatch(/certificateFile/);
    await set('tls-ca-cert-file', stranger.caFile);
    await vi.waitFor(() => expect(secrets()).toBe(null), LIMIT);
    expect(await call()).toBe('200');
    // The server first; it is one that trusted the former one.
    await set('tls-ca-cert-file', caFile);
    await cut();
    await vi.waitFor(() => expect(secrets()).toMatch(/certificateFile/), LIMIT);
    await vi.waitFor(async () => expect(await call()).toBe('200'), LIMIT);
    shows(client);
    await vi.waitFor(() => expect(secrets()).toBe(null), LIMIT);
    expect(await call()).toBe('200');
  },
);
