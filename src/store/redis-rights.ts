import { StoreUnavailable } from './fault.ts';
import {
  assertionKeysKey,
  auditKeys,
  lastUsedKey,
  limitKeys,
  registryKeys,
  statsKey,
  usageHoursKey,
  usageKey,
} from './keys.ts';
import type { RedisConnection, RedisWord } from './redis.ts';

type Ask = readonly [command: string, ...words: RedisWord[]];

const NOTHING = 'return 1';
/**
 * Where a number is expected, or an id of an entry: a command that is allowed fails of it, and has
 * changed nothing.
 */
const WRONG = 'x';

/**
 * What a gate needs, by what it is for, each as commands that change nothing. All that
 * `config/redis/users.acl` names is asked for.
 */
const NEEDED = {
  /**
   * All that a look-up and the feed read: a user from before one of them would answer every first
   * call with 503.
   */
  readsRegistry: ({ registry, nobody }) => [
    ['HMGET', registry.meta, 'schema'],
    ['MGET', nobody],
    ['ZCARD', registry.accounts],
    ['ZMSCORE', registry.accounts, '-'],
    ['HGETALL', registry.roles],
    ['HGETALL', registry.teams],
    ['XRANGE', registry.feed, '-', '-'],
    ['HGETALL', registry.tombstones],
  ],
  renewsLease: ({ registry }) => [
    ['SET', registry.lease('check'), '1', 'PX', 1],
    ['EVAL', NOTHING, 1, registry.lease('check')],
  ],
  /** May say that it is there, and up to where it has applied changes. */
  confirmsChanges: ({ registry }) => [
    ['HGETALL', registry.members],
    ['HDEL', registry.members, '-'],
    ['EVAL', NOTHING, 1, registry.members],
    ['SET', registry.ack('check'), '1', 'PX', 1],
    ['DEL', registry.ack('check')],
    ['EVAL', NOTHING, 1, registry.ack('check')],
  ],
  /** May tell others of what it has seen revoked and a failover had lost. */
  keepsRevoked: ({ registry }) => [
    ['HGET', registry.tombstones, '-'],
    ['HINCRBY', registry.tombstones, '-', WRONG],
    ['EVAL', NOTHING, 1, registry.tombstones],
  ],
  appendsAudit: ({ audit, open, instances, alive }) => [
    ['TYPE', audit.stream(0)],
    ['XADD', audit.stream(0), WRONG, 'e', ''],
    ['GET', audit.last(0, 'check')],
    ['SET', audit.last(0, 'check'), '0', 'PX', 1],
    ['EVAL', NOTHING, 5, audit.stream(0), audit.last(0, 'check'), open, instances, alive],
  ],
  /** May cut the oldest events for their age or for room. */
  trimsAudit: ({ audit }) => [
    ['XLEN', audit.stream(0)],
    ['XTRIM', audit.stream(0), 'MAXLEN', WRONG],
    ['MEMORY', 'USAGE', audit.stream(0)],
  ],
  /** May note which permits have no outcome, and close those of instances that are gone. */
  closesPermits: ({ audit, open, instances, alive }) => [
    ['HKEYS', instances],
    ['HGET', instances, '-'],
    ['HDEL', instances, '-'],
    ['SET', open, '', 'PX', 1],
    ['APPEND', open, ''],
    ['PEXPIRE', open, 1],
    ['GET', open],
    ['DEL', open],
    ['SET', alive, '1', 'PX', 1],
    ['MGET', alive],
    ['DEL', alive],
    ['PEXPIRE', audit.last(0, 'check'), 1],
    ['HGETALL', audit.unvouched(0)],
    ['HDEL', audit.unvouched(0), '-'],
    ['EVAL', NOTHING, 2, instances, audit.unvouched(0)],
    ['EVAL', NOTHING, 4, audit.stream(0), audit.last(0, 'check'), open, instances],
  ],
  /** May keep where the chain of its events has come to, its key, and what retention cuts. */
  keepsHeads: ({ audit }) => [
    ['HGETALL', audit.heads(0)],
    ['HDEL', audit.heads(0), '-'],
    ['HGETALL', audit.chainKeys],
    ['HDEL', audit.chainKeys, '-'],
    ['HGETALL', audit.anchors(0)],
    ['HDEL', audit.anchors(0), '-'],
  ],
  /** May hold the activity logs of all accounts together within their bytes. */
  boundsActivity: ({ audit }) => [
    ['ZADD', audit.touched, 'XX', 0, '-'],
    ['ZSCAN', audit.touched, WRONG],
    ['ZCARD', audit.touched],
    ['ZRANGE', audit.touched, 0, 0],
    ['ZREM', audit.touched, '-'],
    ['ZREMRANGEBYSCORE', audit.touched, WRONG, WRONG],
    ['XLEN', audit.activity(NOBODY)],
    ['XTRIM', audit.activity(NOBODY), 'MAXLEN', WRONG],
    ['MEMORY', 'USAGE', audit.activity(NOBODY)],
    ['DEL', audit.activity(NOBODY)],
  ],
  /** May copy events into the activity logs of accounts. */
  copiesActivity: ({ audit }) => [
    ['TYPE', audit.activity(NOBODY)],
    ['XADD', audit.activity(NOBODY), WRONG, 'e', ''],
    ['PEXPIRE', audit.activity(NOBODY), WRONG],
    ['EVAL', NOTHING, 1, audit.activity(NOBODY)],
  ],
  /** May read the key by which addresses of clients are hashed, and make it. */
  hashesAddresses: ({ audit }) => [
    ['GET', audit.addressKey],
    // XX with an end in the past: where there is a key, the command is refused for its number.
    ['SET', audit.addressKey, '', 'XX', 'PX', WRONG],
  ],
  /** May read the sealed keys that sign assertions, and make them. */
  sharesAssertionKeys: ({ prefix }) => [
    ['GET', assertionKeysKey(prefix)],
    ['SET', assertionKeysKey(prefix), '', 'XX', 'PX', WRONG],
  ],
  /** May tell the lists of accounts whom it has let in. XX: adds nobody. */
  notesUses: ({ registry, prefix }) => [
    ['ZADD', registry.uses, 'XX', 0, '-'],
    ['HDEL', lastUsedKey(prefix, NOBODY), '-'],
    ['PEXPIRE', lastUsedKey(prefix, NOBODY), WRONG],
    ['EVAL', NOTHING, 1, lastUsedKey(prefix, NOBODY)],
  ],
  sharesLimits: ({ prefix }) => [
    ['MGET', limitKeys(prefix).bucket(0, '-')],
    ['PTTL', limitKeys(prefix).bucket(0, '-')],
    ['DEL', limitKeys(prefix).bucket(0, '-')],
    ['EVAL', NOTHING, 1, limitKeys(prefix).bucket(0, '-')],
  ],
  /** May tell consoles and commands apart from it which routes it has in force. */
  publishesRoutes: ({ registry }) => [
    ['SET', registry.routesOf('check'), '1', 'PX', 1],
    ['PEXPIRE', registry.routeTable('check'), WRONG],
    ['DEL', registry.routesOf('check')],
  ],
  /** May keep what it has counted, and make hours of it with what the others have. */
  keepsFigures: ({ prefix }) => [
    ['HSET', statsKey(prefix, 0), '-', '-', WRONG],
    ['PEXPIRE', statsKey(prefix, 0), WRONG],
    ['HGETALL', usageKey(prefix, 'route', 0)],
    ['HLEN', usageKey(prefix, 'route', 0)],
    ['HGET', usageHoursKey(prefix, 'route', 0), '-'],
    ['HMGET', usageHoursKey(prefix, 'route', 0), '-'],
  ],
} satisfies Readonly<Record<string, (names: Names) => readonly Ask[]>>;

/** What a gate needs, and whether its user may. */
type NeededRights = { readonly [Right in keyof typeof NEEDED]: boolean };

/** What a user may do, found out by trying what changes nothing. */
export interface RedisRights extends NeededRights {
  /** May change accounts, roles and teams: whoever holds this is administrator. */
  readonly writesRegistry: boolean;
  /** May see keys beyond the prefix. */
  readonly leavesPrefix: boolean;
  /** May see, and so most likely change, the server's own settings. */
  readonly administersServer: boolean;
}

/** No account: an id has no dashes. */
const NOBODY = '------------';

interface Names {
  readonly prefix: string;
  readonly registry: ReturnType<typeof registryKeys>;
  readonly audit: ReturnType<typeof auditKeys>;
  readonly nobody: string;
  readonly instances: string;
  readonly open: string;
  readonly alive: string;
}

function namesFor(prefix: string): Names {
  const [registry, audit] = [registryKeys(prefix), auditKeys(prefix)];
  return {
    prefix,
    registry,
    audit,
    nobody: registry.account(NOBODY),
    instances: audit.instances(0),
    open: audit.open(0, 'check'),
    alive: audit.alive(0, 'check'),
  };
}

/** Throws `StoreUnavailable` when the server does not answer; a missing right is an answer. */
export async function probeRights(
  connection: RedisConnection,
  prefix: string,
): Promise<RedisRights> {
  const names = namesFor(prefix);
  const { registry, nobody } = names;
  const may = ([command, ...words]: Ask) =>
    allowed(
      // The key of MEMORY USAGE is not where others have theirs.
      command === 'MEMORY'
        ? connection.callAt(String(words.at(-1)), command, ...words)
        : connection.call(command, ...words),
    );
  const mayAll = async (asks: readonly Ask[]) => {
    for (const ask of asks) if (!(await may(ask))) return false;
    return true;
  };
  const needed: Partial<Record<keyof NeededRights, boolean>> = {};
  for (const [right, asks] of Object.entries(NEEDED))
    needed[right as keyof NeededRights] = await mayAll(asks(names));
  const writes = [
    // No field of the position is called so.
    await may(['HDEL', registry.meta, '-']),
    await may(['DEL', nobody]),
    // To run a script on a key takes the right to write it, whatever the script does.
    await may(['EVAL', NOTHING, 1, registry.meta]),
  ];
  return {
    ...(needed as NeededRights),
    writesRegistry: writes.includes(true),
    leavesPrefix: await may(['GET', `-${prefix}-`]),
    administersServer: await allowed(
      connection.callAt(registry.meta, 'CONFIG', 'GET', 'maxmemory'),
    ),
  };
}

async function allowed(reply: Promise<unknown>): Promise<boolean> {
  try {
    await reply;
    return true;
  } catch (fault) {
    if (fault instanceof StoreUnavailable && fault.code === 'NOPERM') return false;
    // A replica says READONLY only to somebody who may write.
    if (fault instanceof StoreUnavailable && fault.why === 'refused') return true;
    throw fault;
  }
}
