import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectRedis, type RedisTls } from '../../src/store/redis.ts';
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts';
import {
  issueRedisCertificates,
  type KeyedCertificate,
  type RedisCertificates,
} from '../support/redis-tls.ts';
import { have } from '../support/system.ts';

const missing = redisMissing() ?? (have('openssl') ? null : 'openssl is not installed');

describe('TLS to a Redis that asks for client certificates', () => {
  let server: RedisServer;
  let certificates: RedisCertificates;

  beforeAll(async () => {
    if (missing !== null) return;
    certificates = issueRedisCertificates();
    server = await startRedis({ certificates });
  });
  afterAll(() => server?.stop());
  beforeEach((context) => {
    if (missing !== null) context.skip(missing);
  });

  const read = (file: string) => readFileSync(file, 'utf8');
  const keyed = ({ certificateFile, keyFile }: KeyedCertificate) => ({
    certificate: read(certificateFile),
    key: read(keyFile),
  });

  async function pinged(
    change: (ours: RedisCertificates) => Partial<RedisTls>,
    host = '127.0.0.1',
    commandTimeoutMs = 15_000,
  ): Promise<unknown> {
    const tls: RedisTls = {
      ca: read(certificates.caFile),
      serverName: null,
      ...keyed(certificates.client),
      verify: true,
      ...change(certificates),
    };
    const url = `rediss://${host}:${server.tlsPort}`;
    const connection = connectRedis({
      url,
      username: null,
      password: null,
      tls,
      name: 'tls',
      commandTimeoutMs,
    });
    try {
      return await connection.call('PING');
    } catch (fault) {
      return fault;
    } finally {
      connection.close();
    }
  }

  it('takes a server whose certificate holds its address, or the name that is said to count', async () => {
    expect(await pinged(() => ({}))).toBe('PONG');
    expect(await pinged(() => ({ serverName: 'redis.test' }))).toBe('PONG');
  });

  /** Which waits for its time to be over: all at once. */
  const refused = (change: Parameters<typeof pinged>[0], host?: string) =>
    pinged(change, host, 2_000);

  it.concurrent.each([
    [
      'by a CA that is not ours',
      ({ stranger }: RedisCertificates) => ({ ca: read(stranger.caFile) }),
      '127.0.0.1',
      /CERT|SIGNATURE|ISSUER/,
    ],
    ['by no CA of this system', () => ({ ca: null }), '127.0.0.1', /CERT|SIGNATURE|ISSUER/],
    [
      'with another name',
      () => ({ serverName: 'other.test' }),
      '127.0.0.1',
      /ERR_TLS_CERT_ALTNAME_INVALID/,
    ],
    ['for another host', () => ({}), 'localhost', /ERR_TLS_CERT_ALTNAME_INVALID/],
  ])('refuses a certificate %s, and says so', async (_, change, host, code) => {
    expect(await refused(change, host)).toMatchObject({
      name: 'StoreUnavailable',
      why: 'unreachable',
      code: expect.stringMatching(code),
    });
  });

  it.concurrent('is refused without a client certificate, and with one of another CA', async () => {
    const strangers = [{ certificate: null, key: null }, keyed(certificates.stranger)];
    for (const fault of await Promise.all(strangers.map((ours) => refused(() => ours))))
      expect(fault).toMatchObject({ name: 'StoreUnavailable', why: 'unreachable' });
  });

  it('takes any server when it is told not to verify, and no other time', async () => {
    expect(await pinged(({ stranger }) => ({ ca: read(stranger.caFile), verify: false }))).toBe(
      'PONG',
    );
  });
});
