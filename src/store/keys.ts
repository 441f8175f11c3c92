/**
 * Every key name in Redis. `config/redis/users.acl` grants rights by these patterns: whoever
 * changes a name here changes it there.
 *
 * Braces are literal: what stands between them is the hash tag that keeps the keys of one script in
 * one slot of a Cluster.
 */

export interface RegistryKeys {
  /** Hash: `schema`, `epoch`, `seq`. */
  readonly meta: string;
  /** Sorted set of account ids, all with score 0: the order in which accounts are paged. */
  readonly accounts: string;
  /** Hashes: name -> record. */
  readonly roles: string;
  readonly teams: string;
  /** Hash: claim -> owner. */
  readonly claims: string;
  /** Stream, ids `SEQ-0`: one entry per change. */
  readonly feed: string;
  /** Stream of `change` audit events, field `e`. */
  readonly changes: string;
  /** String: one record. */
  account(id: string): string;
  /** Set of users of a target. */
  references(target: string): string;
  /** Stream like `changes`, of one account, capped. */
  changesOf(accountId: string): string;
  /** String; its time to live numbers the renewals (`renewalTtlMs`) and never ends. */
  lease(instance: string): string;
  /**
   * Hash: instance -> what it says of itself. Who is in it is a member, until it says goodbye or is
   * forgotten.
   */
  readonly members: string;
  /** String with a time to live: the position up to which an instance has applied everything. */
  ack(instance: string): string;
  /**
   * Hash: account id -> what instances have seen revoked and a failover had lost; field `#` counts
   * its changes.
   */
  readonly tombstones: string;
  /**
   * What the lists of accounts are made from, in the order in which scripts take it: `state`,
   * `names`, `marks`, `times`, `texts`, `rows`, `numbers`, `free` (scripts/listing.lua).
   */
  readonly lists: readonly string[];
  /** Hash: id -> a change that waits for approval. */
  readonly waiting: string;
  /** Sorted set of `ACCOUNT TOKEN` by time: last uses that gates have noted for the lists. */
  readonly uses: string;
  /** String with a time to live: which routes an instance has in force, and since when (JSON). */
  routesOf(instance: string): string;
  /** String with a time to live: the routes of one digest, for all instances that have them. */
  routeTable(digest: string): string;
}

const LISTS = ['state', 'names', 'marks', 'times', 'texts', 'rows', 'numbers', 'free'] as const;

/** `prefix` is `store.keyPrefix`. */
export function registryKeys(prefix: string): RegistryKeys {
  const base = `${prefix}:{registry}`;
  return {
    meta: `${base}:meta`,
    accounts: `${base}:accounts`,
    roles: `${base}:roles`,
    teams: `${base}:teams`,
    claims: `${base}:claims`,
    feed: `${base}:feed`,
    changes: `${base}:changes`,
    account: (id) => `${base}:account:${id}`,
    references: (target) => `${base}:refs:${target}`,
    changesOf: (accountId) => `${base}:changes:${accountId}`,
    lease: (instance) => `${base}:lease:${instance}`,
    members: `${base}:members`,
    ack: (instance) => `${base}:ack:${instance}`,
    tombstones: `${base}:tombstones`,
    lists: LISTS.map((name) => `${base}:lists:${name}`),
    waiting: `${base}:waiting`,
    uses: `${base}:uses`,
    routesOf: (instance) => `${base}:routes:of:${instance}`,
    routeTable: (digest) => `${base}:routes:table:${digest}`,
  };
}

export interface AuditKeys {
  /** String: the key by which addresses of clients are hashed, 32 bytes in base64url. */
  readonly addressKey: string;
  /** Stream: the record of calls, partition `n`. */
  stream(partition: number): string;
  /**
   * String: the last sequence number that an instance's partition holds; with a time to live once
   * the instance is not among `instances`. In the stream's slot.
   */
  last(partition: number, instance: string): string;
  /** Hash: instance -> 1, of those that have not said goodbye. */
  instances(partition: number): string;
  /** String with a time to live: what an instance notes of its permits without an outcome. */
  open(partition: number, instance: string): string;
  /** String with a time to live: the instance lives. */
  alive(partition: number, instance: string): string;
  /** Hash: digest -> outcomes for which somebody still has to vouch (JSON). */
  unvouched(partition: number): string;
  /** Hash: instance -> the newest head that it has signed, as its event. */
  heads(partition: number): string;
  /** Hash: instance -> what it has signed of what retention cuts, the newest (JSON). */
  anchors(partition: number): string;
  /** Hash: key id -> who has signed heads with it (JSON). */
  readonly chainKeys: string;
  /** Stream: one account's calls, capped. */
  activity(accountId: string): string;
  /** Stream like that one and in its slot, until it takes its place: made anew from the record. */
  activityAnew(accountId: string, run: string): string;
  /** Sorted set: account id -> when its activity log was last added to, in ms since 1970. */
  readonly touched: string;
}

export function auditKeys(prefix: string): AuditKeys {
  return {
    addressKey: `${prefix}:audit:{0}:address-key`,
    stream: (partition) => `${prefix}:audit:{${partition}}`,
    last: (partition, instance) => `${prefix}:audit:{${partition}}:last:${instance}`,
    instances: (partition) => `${prefix}:audit:{${partition}}:instances`,
    open: (partition, instance) => `${prefix}:audit:{${partition}}:open:${instance}`,
    alive: (partition, instance) => `${prefix}:audit:{${partition}}:alive:${instance}`,
    unvouched: (partition) => `${prefix}:audit:{${partition}}:unvouched`,
    heads: (partition) => `${prefix}:audit:{${partition}}:heads`,
    anchors: (partition) => `${prefix}:audit:{${partition}}:anchors`,
    chainKeys: `${prefix}:audit:{0}:keys`,
    activity: (accountId) => `${prefix}:activity:${accountId}`,
    activityAnew: (accountId, run) =>
      `${prefix}:activity-new:${run}:{${prefix}:activity:${accountId}}`,
    touched: `${prefix}:audit:{0}:touched`,
  };
}

/** String: the keys that sign assertions of callers, sealed. */
export function assertionKeysKey(prefix: string): string {
  return `${prefix}:assertion:keys`;
}

export interface WebhookKeys {
  /** String with a time to live: the instance that delivers. */
  readonly lease: string;
  /** Hash: what is kept by name (`hook:NAME`), how far each hook has come among it. */
  readonly words: string;
}

export function webhookKeys(prefix: string): WebhookKeys {
  return { lease: `${prefix}:{webhooks}:lease`, words: `${prefix}:{webhooks}:words` };
}

export interface LimitKeys {
  /** String with a time to live: one shared token bucket, see scripts/limits-lease.lua. */
  bucket(partition: number, name: string): string;
}

export function limitKeys(prefix: string): LimitKeys {
  return { bucket: (partition, name) => `${prefix}:limits:{${partition}}:${name}` };
}

/**
 * Hash of one account: token id -> `MS ADDRESS`, the last use. With a time to live, and in no slot
 * in particular.
 */
export function lastUsedKey(prefix: string, accountId: string): string {
  return `${prefix}:last-used:${accountId}`;
}

export interface SessionKeys {
  /** String with a time to live: one session of the console, by the digest of its id. */
  session(digest: string): string;
  /** String with a time to live: a form that was used. */
  spent(what: string): string;
  /**
   * Sorted set with a time to live: digests of what the browsers hold from which somebody has
   * signed in, by time.
   */
  browsers(name: string): string;
}

export function sessionKeys(prefix: string): SessionKeys {
  return {
    session: (digest) => `${prefix}:sessions:${digest}`,
    spent: (what) => `${prefix}:sessions:spent:${what}`,
    browsers: (name) => `${prefix}:sessions:browsers:${name}`,
  };
}

/**
 * String with a time to live, which is the count: tries of one kind. In one slot, because several
 * are counted in one step.
 */
export function triesKey(prefix: string, name: string): string {
  return `${prefix}:{tries}:${name}`;
}

/**
 * Hash of one hour, with a time to live: `MINUTE INSTANCE` -> what that instance counted in that
 * minute, as JSON.
 */
export function statsKey(prefix: string, hour: number): string {
  return `${prefix}:stats:${hour}`;
}

/**
 * Hash of one hour, with a time to live: `MINUTE INSTANCE` -> who called that instance in that
 * minute (`encodeTable`), and `revision` -> another word after each writing. `of`: what calls are
 * told apart by.
 */
export function usageKey(prefix: string, of: string, hour: number): string {
  return `${prefix}:stats:${of}:${hour}`;
}

/**
 * Hash of one hour, with a time to live: `MINUTE` -> who called in that minute, all instances
 * together, and `from` and `revision` -> from how many fields of the hour, and which revision, it
 * was put together.
 */
export function usageSharedKey(prefix: string, of: string, hour: number): string {
  return `${prefix}:stats:${of}:shared:${hour}`;
}

/**
 * Hash of one day, with a time to live: `HOUR` -> who called in that hour, all instances together,
 * and `HOUR from` and `HOUR revision` -> from how many fields of the hour's minutes, and which
 * revision, it was made.
 */
export function usageHoursKey(prefix: string, of: string, day: number): string {
  return `${prefix}:stats:${of}:hours:${day}`;
}
