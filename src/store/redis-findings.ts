import type { Finding, FindingContext } from './redis-finding.ts';
import type { RedisRights } from './redis-rights.ts';
import { aboutRights } from './redis-rights-findings.ts';
import type { ClusterFacts, RedisFacts, SentinelFacts, ServerFacts } from './redis-survey.ts';

const CLOCK_MAX_MS = 2_000;
const LEAST_VERSION = 7;
const SENTINELS_MIN = 3;

/** Everything that is to be said about a Redis, server by server. */
export function findingsOf(
  facts: RedisFacts,
  rights: RedisRights,
  context: FindingContext,
): readonly Finding[] {
  return [
    ...aboutSentinels(facts.sentinel),
    ...aboutCluster(facts.cluster),
    ...facts.servers.flatMap((server) => aboutServer(server, facts, context)),
    ...aboutRights(rights, context),
  ];
}

function aboutServer(
  server: ServerFacts,
  facts: RedisFacts,
  context: FindingContext,
): readonly Finding[] {
  const { address, info, settings } = server;
  const say = speaker(address);
  if (server.fault !== null)
    return [say('unverified', server.fault, 'Nothing is known about this server.')];
  const unverified: Finding[] = [];
  if (info === null)
    unverified.push(
      say('unverified', 'INFO is not allowed', `${LOOK} version, eviction, persistence and role.`),
    );
  if (settings === null)
    unverified.push(
      say(
        'unverified',
        'CONFIG GET is not allowed',
        `${LOOK} appendfsync, min-replicas-* and ports.`,
      ),
    );
  return [
    ...(info === null ? [] : aboutVersion(info, say)),
    ...(info === null ? [] : aboutMemory(info, say)),
    ...(info === null ? [] : aboutPersistence(info, server, say)),
    ...(info === null ? [] : aboutReplication(info, server, facts, context, say)),
    ...aboutAccess(server, say),
    ...unverified,
  ];
}

const LOOK = 'Use --redis-user with a user who may, so that these are looked at:';

type Say = (severity: Finding['severity'], found: string, means: string) => Finding;
type Info = ReadonlyMap<string, string>;

function speaker(server: string | null): Say {
  return (severity, found, means) => ({ severity, server, found, means });
}

function aboutVersion(info: Info, say: Say): readonly Finding[] {
  const version = info.get('redis_version') ?? '';
  if (Number.parseInt(version, 10) >= LEAST_VERSION) return [];
  const means =
    'The users gate and manager need key permissions and read-only scripts, which came with 7.0. Upgrade.';
  return [say('unsafe', `Redis ${version}`, means)];
}

function aboutMemory(info: Info, say: Say): readonly Finding[] {
  const policy = info.get('maxmemory_policy') ?? '';
  const findings: Finding[] = [];
  if (policy !== 'noeviction') {
    const means =
      'When memory is short Redis forgets accounts (valid tokens are refused), roles, tombstones (a revoked token may come back) and audit records. Set maxmemory-policy noeviction.';
    findings.push(say('unsafe', `maxmemory-policy ${policy}`, means));
  }
  if (info.get('maxmemory') === '0') {
    const means =
      'The host may kill Redis when memory runs out, instead of Redis refusing writes. Set maxmemory.';
    findings.push(say('note', 'no maxmemory', means));
  }
  return findings;
}

function aboutPersistence(
  info: Info,
  { settings, defaultUserFull }: ServerFacts,
  say: Say,
): readonly Finding[] {
  const findings: Finding[] = [];
  const appendOnly = info.get('aof_enabled') === '1';
  const snapshots = (settings?.get('save') ?? '') !== '';
  const fsync = settings?.get('appendfsync');
  if (!appendOnly) {
    const found =
      settings === null || snapshots
        ? 'no append-only file'
        : 'neither append-only file nor snapshots';
    const back = snapshots
      ? 'goes back to the last snapshot: tokens revoked since work again'
      : 'forgets the registry and the audit';
    const means = `A restart of Redis ${back}. Set appendonly yes and appendfsync always.`;
    findings.push(say('unsafe', found, means));
  } else if (fsync !== undefined && fsync !== 'always') {
    const lost =
      fsync === 'everysec' ? 'up to a second' : 'whatever the system had not written yet';
    const means = `A host that loses power forgets ${lost} of what was acknowledged: a revoked token may work again, and records that callers waited for are gone. Set appendfsync always.`;
    findings.push(say('unsafe', `appendfsync ${fsync}`, means));
  }
  if (appendOnly && defaultUserFull === false) {
    const means =
      'Redis reads its append-only file as this user, and versions that check its rights drop every change of a script at a restart, without a word. Give it ~* &* +@all and leave it switched off (config/redis/users.acl).';
    findings.push(say('unsafe', 'the user default lacks rights', means));
  }
  for (const [field, what] of [
    ['aof_last_write_status', 'the last write to the append-only file failed'],
    ['rdb_last_bgsave_status', 'the last snapshot failed'],
  ] as const) {
    if ((info.get(field) ?? 'ok') !== 'ok')
      findings.push(
        say('unsafe', what, 'What is changed now may not survive a restart. Look at the disk.'),
      );
  }
  return findings;
}

function aboutReplication(
  info: Info,
  server: ServerFacts,
  facts: RedisFacts,
  context: FindingContext,
  say: Say,
): readonly Finding[] {
  const isReplica = info.get('role') !== 'master';
  const alone = facts.sentinel === null && facts.cluster === null;
  if (isReplica && alone)
    return [
      say(
        'unsafe',
        'this server is a replica',
        'It takes no writes: no lease, so no call is let in. Name the primary.',
      ),
    ];
  if (isReplica && info.get('master_link_status') !== 'up')
    return [
      say(
        'unsafe',
        'the replica does not follow its primary',
        'If the primary dies now, what was changed since is lost.',
      ),
    ];
  if (alone && info.get('connected_slaves') === '0') return [];
  const { settings } = server;
  if (settings === null) return [];
  if (Number(settings.get('min-replicas-to-write')) < 1) {
    const means =
      'A primary that is cut off goes on renewing leases: instances that reach only it let in tokens that the new primary has revoked, until it is found out. And what it took alone is lost. Set min-replicas-to-write 1.';
    return [say('unsafe', 'min-replicas-to-write 0', means)];
  }
  return aboutOverlap(settings, facts, context, say);
}

/** How long instances may still believe an old primary after a new one can take changes. */
function aboutOverlap(
  settings: Info,
  facts: RedisFacts,
  { leaseMs }: FindingContext,
  say: Say,
): readonly Finding[] {
  const detectedMs =
    facts.sentinel?.downAfterMs ??
    (facts.cluster === null ? null : Number(settings.get('cluster-node-timeout')));
  if (detectedMs === null) return [];
  const believedMs = Number(settings.get('min-replicas-max-lag')) * 1_000 + leaseMs;
  if (believedMs < detectedMs) return [];
  const means = `After a failover an instance that was cut off with the old primary may let in a token, revoked at the new one, for up to ${believedMs - detectedMs} ms (min-replicas-max-lag + registry.leaseMs - the time until a failover). Receipts count that in and say topology-dependent.`;
  return [say('note', `leases outlive the wait for a failover (${detectedMs} ms)`, means)];
}

function aboutAccess({ open, clockAheadMs, settings }: ServerFacts, say: Say): readonly Finding[] {
  const findings: Finding[] = [];
  if (open === true) {
    const means =
      'Whoever reaches this server is administrator of the gate. Use the users of config/redis/users.acl, and switch default off.';
    findings.push(say('unsafe', 'it serves whoever comes, without user and password', means));
  }
  if (clockAheadMs !== null && Math.abs(clockAheadMs) > CLOCK_MAX_MS) {
    const side = clockAheadMs > 0 ? 'ahead of' : 'behind';
    const means =
      'Retention is counted from its clock, and the expiry of accounts from ours. Synchronise them.';
    findings.push(
      say('unsafe', `its clock is ${Math.abs(clockAheadMs)} ms ${side} this machine's`, means),
    );
  }
  const [plain, tls] = [settings?.get('port') ?? '0', settings?.get('tls-port') ?? '0'];
  if (plain !== '0' && tls !== '0') {
    findings.push(
      say(
        'note',
        `it also listens in the clear, on port ${plain}`,
        'Set port 0 where everybody can speak TLS.',
      ),
    );
  }
  return findings;
}

function aboutSentinels(sentinel: SentinelFacts | null): readonly Finding[] {
  if (sentinel === null) return [];
  const { listed, answered, known, quorum } = sentinel;
  const say = speaker(null);
  const findings: Finding[] = [];
  if (known < SENTINELS_MIN) {
    findings.push(
      say(
        'unsafe',
        `${known} sentinel(s)`,
        'With fewer than three nobody can agree on a failover when one is away. Run three.',
      ),
    );
  }
  if (quorum * 2 <= known && known >= SENTINELS_MIN)
    findings.push(
      say(
        'note',
        `quorum ${quorum} of ${known}`,
        'Fewer than half may declare the primary dead; a failover still takes more than half.',
      ),
    );
  if (answered < listed) {
    findings.push(
      say(
        'note',
        `${listed - answered} of ${listed} sentinels do not answer`,
        'The others are asked; mend them before more go.',
      ),
    );
  }
  return findings;
}

function aboutCluster(cluster: ClusterFacts | null): readonly Finding[] {
  if (cluster === null) return [];
  const say = speaker(null);
  const findings: Finding[] = [];
  if (cluster.slotsWithoutServer > 0) {
    findings.push(
      say(
        'unsafe',
        `${cluster.slotsWithoutServer} slots have no server`,
        'Parts of the registry or the audit cannot be reached.',
      ),
    );
  }
  for (const primary of cluster.primariesWithoutReplica) {
    const means =
      'When it goes, its part of the keys is away until it is back: no lease, or no record of calls.';
    findings.push({ severity: 'unsafe', server: primary, found: 'no replica in step', means });
  }
  return findings;
}
