import * as z from 'zod';
import { file, flag, NAME_PATTERN, orNull, parseHostPort, secret } from '../values.ts';

const redisTls = z.strictObject({
  caFile: orNull(file, 'PEM file of CAs that may have signed the server certificate, instead of the system ones.'),
  serverName: orNull(
    z.string().min(1).max(253),
    'Name that the server certificate must carry, where it is not the host of the URL.',
  ),
  certificateFile: orNull(file, 'PEM file: our client certificate.'),
  keyFile: orNull(file, 'PEM file: its private key.'),
  verify: flag(true, 'Whether the server certificate is verified. `false` is warned about at every start.'),
});

const hostPort = z.string().refine((text) => (parseHostPort(text)?.port ?? 0) > 0, 'expected host:port');

const REDIS_URL = /^rediss?:\/\/(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:\/[0-9]{0,5})?$/;

const redis = z.strictObject({
  kind: z.literal('redis').describe('Redis: for several instances.'),
  url: z
    .string()
    .regex(
      REDIS_URL,
      'expected redis://host:port or rediss://host:port (TLS), with an optional /database and no user or password',
    )
    .describe('`rediss://host:port/database` (TLS) or `redis://…`.'),
  sentinels: orNull(
    z.strictObject({
      name: z.string().min(1).max(128).describe('Name of the primary.'),
      addresses: z.array(hostPort).min(1).max(16).describe('Addresses of sentinels, `host:port`.'),
    }),
    'Redis Sentinel: name of the primary and addresses of the sentinels.',
  ),
  cluster: orNull(z.array(hostPort).min(1).max(64), 'Redis Cluster: addresses of some of its nodes.'),
  username: orNull(z.string().min(1).max(128), 'ACL user; `gate` is enough for an instance without an admin listener.'),
  password: orNull(secret, 'Its password, taken from the environment; a password that is written out here is refused.'),
  passwordFile: orNull(file, 'File that holds the password.'),
  keyPrefix: z
    .string()
    .regex(NAME_PATTERN, 'expected 1 to 64 characters of A-Z a-z 0-9 . _ -')
    .default('sallyport')
    .describe('First part of every key, so that several gates can share one Redis.'),
  tls: orNull(redisTls, 'TLS towards Redis; only with a `rediss:` URL.'),
});

const embedded = z.strictObject({ kind: z.literal('embedded').describe('Files under instance.dataDir: for one instance.') });

export const storeSection = z
  .discriminatedUnion('kind', [redis, embedded])
  .prefault({ kind: 'embedded' })
  .describe('Where accounts, roles, teams and the audit live: Redis, or files under instance.dataDir for a single instance.');
