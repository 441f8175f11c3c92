/** How long and how much is kept. */
export interface AuditRetention {
  /** Events older than this go. */
  readonly days: number;
  /**
   * Bytes at which the oldest events go; 0 = no limit of their own; null = as much as is sensible
   * for the store, see `recordBytes`.
   */
  readonly maxBytes: number | null;
}

export const DAY_MS = 24 * 3600 * 1000;

const GIB = 2 ** 30;

export const RETENTION = {
  /** Of Redis's `maxmemory`: what the record may take when nobody says so. */
  recordShare: 1 / 2,
  /** The same where there is no `maxmemory`, in bytes. */
  recordBytes: GIB,
  /** Of that: what all activity logs may take together when nobody says so. */
  activityShare: 1 / 4,
  /** Of a disk, in bytes. */
  embeddedBytes: 4 * GIB,
  /** Of `maxmemory`: left to the registry, leases and revocations, whoever else wants it. */
  reserve: 0.15,
  /** Never cut below this to make room, in bytes. */
  leastBytes: 16 * 2 ** 20,
  /** Of `maxmemory`: past it activity logs get shorter with every event that they are given. */
  copiesUpTo: 0.8,
  leastPerAccount: 10,
  lookEveryMs: 10_000,
  /** It is also looked after so many bytes: 1/256 of what the record may take, within these. */
  lookBytes: { least: 64 * 1024, most: 8 * 1024 * 1024 },
} as const;

/** What the record may take on a server with this `maxmemory` (0 = none, or not known). */
export function recordBytes({ maxBytes }: AuditRetention, serverBytes: number): number {
  if (maxBytes === 0) return Number.POSITIVE_INFINITY;
  if (maxBytes !== null) return maxBytes;
  if (serverBytes === 0) return RETENTION.recordBytes;
  return Math.max(RETENTION.leastBytes, serverBytes * RETENTION.recordShare);
}

/** What the list of administrative changes may take: a quarter of that. */
export function changesBytes(retention: AuditRetention, serverBytes: number): number {
  return recordBytes(retention, serverBytes) / 4;
}

/**
 * What the activity logs of all accounts may take together: unless it is said, an eighth of
 * `maxmemory`, of all the servers that hold the record.
 */
export function activityBytes(
  maxBytes: number | null,
  servers: readonly { readonly maxBytes: number }[],
): number {
  if (maxBytes !== null) return maxBytes;
  const record = servers.map((server) => recordBytes({ days: 1, maxBytes: null }, server.maxBytes));
  return record.reduce((sum, bytes) => sum + bytes, 0) * RETENTION.activityShare;
}
