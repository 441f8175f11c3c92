import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { asAdmin } from '../support/redis-replication.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { issueRedisCertificates } from '../support/redis-tls.ts';
import { keepCalling } from '../support/world/callers.ts';
import { fetchOver } from '../support/world/fetch-over.ts';
import type { WorldGate } from '../support/world/gates.ts';
import { NAMES, PLACES, PORTS } from '../support/world/places.ts';
import { holds } from '../support/world/programs.ts';
import { requireWorld } from '../support/world/require.ts';
import { SecretVolume } from '../support/world/secret-volume.ts';
import { startWorld } from '../support/world/world.ts';

const LIMIT = { timeout: 120_000 };
const root = (redis: RedisServer, ...words: [string, ...string[]]) =>
  asAdmin(redis, null, (admin) => admin.call(...words));
const takes = (redis: RedisServer, ...passwords: string[]) =>
  root(
    redis,
    ...(['ACL', 'SETUSER', 'gate', 'on', 'resetpass', '~*', '&*', '+@all'] as const),
    ...passwords.map((password) => `>${password}`),
  );
const read = (file: string) => readFileSync(file, 'utf8');

/** What `/readyz` of each gate says of the secrets. */
const secretsOf = (gates: readonly WorldGate[]) =>
  Promise.all(
    gates.map(async (gate) => {
      const { ready, checks } = await gate.readyz();
      return { ready, ...checks.find(({ name }) => name === 'secrets') };
    }),
  );

/** The last bytes of the serial number of the certificate that a gate shows. */
const serialOf = (host: string, ca: string) =>
  new Promise<string>((resolve, reject) => {
    const socket = connect({ host, port: PORTS.gate, ca, servername: NAMES.gate }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.once('error', reject);
  });

it(
  'takes over every Secret that is swapped in its folder, and no call fails',
  LIMIT,
  async (ctx) => {
    requireWorld(ctx, 'openssl');
    const certificates = issueRedisCertificates();
    const { stranger, client } = certificates;
    let volume: SecretVolume | null = null;
    const world = await startWorld({
      redis: { certificates },
      prepare: async ({ folder, redis, authority }) => {
        await takes(redis, 'first');
        const pair = await authority.issue(Object.values(NAMES));
        volume = new SecretVolume(join(folder, 'secrets'), {
          'redis.password': 'first\n',
          'redis-ca.pem': read(certificates.caFile),
          'redis.crt': read(client.certificateFile),
          'redis.key': read(client.keyFile),
          'tls.crt': pair.certificate,
          'tls.key': pair.key,
          'service.key': 'key-one\n',
        });
        const at = (name: string) => volume!.file(name);
        const tls = {
          caFile: at('redis-ca.pem'),
          certificateFile: at('redis.crt'),
          keyFile: at('redis.key'),
          serverName: 'redis.test',
        };
        return {
          files: { certificateFile: at('tls.crt'), keyFile: at('tls.key') },
          store: {
            url: `rediss://${NAMES.redis}:${PORTS.redisTls}`,
            username: 'gate',
            passwordFile: at('redis.password'),
            tls,
          },
          service: { headers: { set: { 'X-Service-Key': { valueFile: at('service.key') } } } },
        };
      },
    });
    onTestFinished(() => world.stop());
    const { gates, redis, authority, token, caFile } = world;
    const calling = keepCalling({ token, caFile, callers: 2, callsPerSecond: 100, posts: true });
    const settled = () =>
      holds('all of it is taken over', async () =>
        (await secretsOf(gates)).every(({ ready, state }) => ready && state === 'ok'),
      );
    const before = await Promise.all(PLACES.gates.map((host) => serialOf(host, authority.pem)));
    // All at once; the server knows both passwords, as operators have it do.
    await takes(redis, 'first', 'second');
    const pair = await authority.issue(Object.values(NAMES));
    volume!.rotate({
      'redis.password': 'second\n',
      'tls.crt': pair.certificate,
      'tls.key': pair.key,
      'service.key': 'key-two\n',
    });
    await holds('the gates show the new certificate', async () => {
      const now = await Promise.all(PLACES.gates.map((host) => serialOf(host, authority.pem)));
      return now.every((serial, n) => serial !== before[n]);
    });
    await holds('services are told the new key', async () =>
      (await fetchOver(NAMES.tcpFront, token, authority.pem)).endsWith('key-two'),
    );
    await settled();
    await takes(redis, 'second');
    // The file before the server: CA and certificate of our own at once.
    volume!.rotate({
      'redis-ca.pem': read(stranger.caFile),
      'redis.crt': read(stranger.certificateFile),
      'redis.key': read(stranger.keyFile),
    });
    await holds('it is said that the server has not changed yet', async () =>
      (await secretsOf(gates)).every(
        ({ ready, state, why }) => ready && state === 'warning' && /caFile/.test(why ?? ''),
      ),
    );
    await root(
      redis,
      ...(['CONFIG', 'SET', 'tls-cert-file', stranger.certificateFile] as const),
      ...['tls-key-file', stranger.keyFile, 'tls-ca-cert-file', stranger.caFile],
    );
    await settled();
    const { calls, failed, failedPosts } = await calling.end();
    expect(calls).toBeGreaterThan(10);
    expect([failed, failedPosts]).toEqual([[], []]);
  },
);
