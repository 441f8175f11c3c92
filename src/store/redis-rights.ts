import { StoreUnavailable } from './fault.ts';
import { auditKeys, registryKeys } from './keys.ts';
import type { RedisConnection, RedisWord } from './redis.ts';

/** What a user may do, found out by trying what changes nothing. */
export interface RedisRights {
  readonly readsRegistry: boolean;
  readonly renewsLease: boolean;
  readonly appendsAudit: boolean;
  /** May note which permits have no outcome, and close those of instances that are gone. */
  readonly closesPermits: boolean;
  /** May keep where the chain of its events has come to, and its key. */
  readonly keepsHeads: boolean;
  /** May tell the lists of accounts whom it has let in. */
  readonly notesUses: boolean;
  /** May change accounts, roles and teams: whoever holds this is administrator. */
  readonly writesRegistry: boolean;
  /** May see keys beyond the prefix. */
  readonly leavesPrefix: boolean;
  /** May see, and so most likely change, the server's own settings. */
  readonly administersServer: boolean;
}

const NOTHING = 'return 1';

/** Throws `StoreUnavailable` when the server does not answer; a missing right is an answer. */
export async function probeRights(
  connection: RedisConnection,
  prefix: string,
): Promise<RedisRights> {
  const registry = registryKeys(prefix);
  const audit = auditKeys(prefix);
  const may = async (command: string, ...words: readonly RedisWord[]) =>
    allowed(connection.call(command, ...words));
  // Nobody has these: an account id has no dashes, and no field of the position is called so.
  const nobody = registry.account('------------');
  const writes = [
    await may('HDEL', registry.meta, '-'),
    await may('DEL', nobody),
    // To run a script on a key takes the right to write it, whatever the script does.
    await may('EVAL', NOTHING, 1, registry.meta),
  ];
  // All that a look-up reads: a user from before the list of accounts was asked for would answer
  // every first call with 503.
  const reads = [
    await may('HMGET', registry.meta, 'schema'),
    await may('MGET', nobody),
    await may('ZCARD', registry.accounts),
    await may('ZMSCORE', registry.accounts, '-'),
  ];
  const [instances, open, alive] = [
    audit.instances(0),
    audit.open(0, 'check'),
    audit.alive(0, 'check'),
  ];
  const permits = [
    await may('HKEYS', instances),
    await may('HGET', instances, '-'),
    await may('HDEL', instances, '-'),
    await may('SET', open, '', 'PX', 1),
    await may('APPEND', open, ''),
    await may('PEXPIRE', open, 1),
    await may('GET', open),
    await may('DEL', open),
    await may('SET', alive, '1', 'PX', 1),
    await may('MGET', alive),
    await may('DEL', alive),
    await may('EVAL', NOTHING, 4, audit.stream(0), audit.last(0, 'check'), open, instances),
  ];
  const heads = [
    await may('HGETALL', audit.heads(0)),
    await may('HDEL', audit.heads(0), '-'),
    await may('HDEL', audit.chainKeys, '-'),
  ];
  return {
    readsRegistry: !reads.includes(false),
    renewsLease: await may('SET', registry.lease('check'), '1', 'PX', 1),
    appendsAudit: await may('EVAL', NOTHING, 3, audit.stream(0), audit.last(0, 'check'), open),
    closesPermits: !permits.includes(false),
    keepsHeads: !heads.includes(false),
    // XX: adds nobody.
    notesUses: await may('ZADD', registry.uses, 'XX', 0, '-'),
    writesRegistry: writes.includes(true),
    leavesPrefix: await may('GET', `-${prefix}-`),
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
