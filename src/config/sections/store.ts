import * as z from 'zod';
import { live } from '../reloading.ts';
import {
  file,
  flag,
  type HostPort,
  NAME_PATTERN,
  orNull,
  parseHostPort,
  secret,
} from '../values.ts';

/**
 * What changes while a gate runs is what rotates: where the servers are is for a restart. Whether
 * there is TLS at all, too.
 */
const redisTls = z.strictObject({
  caFile: live(
    orNull(
      file,
      'PEM file of CAs that may have signed the server certificate, instead of the system ones.',
    ),
  ),
  serverName: live(
    orNull(
      z.string().min(1).max(253),
      'Name that the server certificate must carry, where it is not the host of the URL.',
    ),
  ),
  certificateFile: live(orNull(file, 'PEM file: our client certificate.')),
  keyFile: live(orNull(file, 'PEM file: its private key.')),
  verify: live(
    flag(
      true,
      'Whether the server certificate is verified. `false` is warned about at every start.',
    ),
  ),
});

const serverAddress = z.string().transform((text, context): HostPort => {
  const address = parseHostPort(text);
  if (address !== null && address.port > 0) return address;
  context.issues.push({
    code: 'custom',
    input: text,
    message: 'expected host:port, such as redis-1.internal:6379',
  });
  return z.NEVER;
});

const REDIS_URL =
  /^rediss?:\/\/(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:\/[0-9]{0,5})?$/;

const passwordFrom = {
  password: live(
    orNull(
      secret,
      'Its password, taken from the environment; a password that is written out here is refused.',
    ),
  ),
  passwordFile: live(
    orNull(
      file,
      'File that holds the password. A changed one is tried at once on a new connection; until the server takes it, connections go on with the former.',
    ),
  ),
};

const sentinels = z.strictObject({
  name: z.string().min(1).max(128).describe('Name under which the sentinels watch the primary.'),
  addresses: z
    .array(serverAddress)
    .min(1)
    .max(16)
    .describe('Addresses of all sentinels, `host:port`.'),
  username: live(
    orNull(z.string().min(1).max(128), 'ACL user at the sentinels, where they ask for one.'),
  ),
  ...passwordFrom,
  tls: flag(true, 'Whether the sentinels are spoken to as `store.tls` says, where it is given.'),
});

export const redisStore = z.strictObject({
  kind: z.literal('redis').describe('Redis: for several instances.'),
  url: orNull(
    z
      .string()
      .regex(
        REDIS_URL,
        'expected redis://host:port or rediss://host:port (TLS), with an optional /database and no user or password',
      ),
    'One server: `rediss://host:port/database` (TLS) or `redis://…`. Instead of it: `sentinels` or `cluster`.',
  ),
  sentinels: orNull(
    sentinels,
    'The primary that Redis Sentinel names, database 0; followed when it changes.',
  ),
  cluster: orNull(
    z.array(serverAddress).min(1).max(64),
    'Redis Cluster: addresses of some of its nodes, `host:port`; the others are learned from them.',
  ),
  username: live(
    orNull(
      z.string().min(1).max(128),
      'ACL user; `gate` is enough for an instance without an admin listener.',
    ),
  ),
  ...passwordFrom,
  keyPrefix: z
    .string()
    .regex(NAME_PATTERN, 'expected 1 to 64 characters of A-Z a-z 0-9 . _ -')
    .default('sallyport')
    .describe('First part of every key, so that several gates can share one Redis.'),
  tls: orNull(
    redisTls,
    'TLS towards Redis: with a `rediss:` URL, with `sentinels` or with `cluster`, where `tls: {}` is enough to ask for it.',
  ),
});

const embedded = z.strictObject({
  kind: z.literal('embedded').describe('Files under instance.dataDir: for one instance.'),
});

export const storeSection = z
  .discriminatedUnion('kind', [redisStore, embedded])
  .prefault({ kind: 'embedded' })
  .describe(
    'Where accounts, roles, teams and the audit live: Redis, or files under instance.dataDir for a single instance.',
  );
