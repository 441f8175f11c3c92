import type { Finding, FindingContext } from './redis-finding.ts';
import type { RedisRights } from './redis-rights.ts';

type Row = readonly [
  right: keyof RedisRights,
  /** The part of Redis that it is about. */
  holds: 'registry' | 'audit',
  severity: Finding['severity'],
  may: string,
  means: string,
];

const NO_CALL = 'No call is let in. See config/redis/users.acl.';
const RENEW = 'Take the present config/redis/users.acl.';

/** What a gate needs, and what is not kept without it. */
const NEEDED: readonly Row[] = [
  ['readsRegistry', 'registry', 'unsafe', 'read the registry', NO_CALL],
  ['renewsLease', 'registry', 'unsafe', 'renew its lease', NO_CALL],
  ['appendsAudit', 'audit', 'unsafe', 'append to the audit', NO_CALL],
  [
    'confirmsChanges',
    'registry',
    'unsafe',
    'confirm that it has applied changes',
    `Receipts of revocations cannot count on this instance. ${RENEW}`,
  ],
  [
    'keepsRevoked',
    'registry',
    'unsafe',
    'tell others what it has seen revoked',
    `A token whose revocation a failover has lost works again at instances that did not see it. ${RENEW}`,
  ],
  [
    'trimsAudit',
    'audit',
    'unsafe',
    'cut the oldest audit events',
    `The record grows until Redis is full, and then no call is let in. ${RENEW}`,
  ],
  [
    'closesPermits',
    'audit',
    'unsafe',
    'note which permits have no outcome',
    `Permits of an instance that ends without a word stay without an outcome. ${RENEW}`,
  ],
  [
    'keepsHeads',
    'audit',
    'unsafe',
    'keep where the chain of audit events has come to',
    `Events that are taken from the end of the record cannot be missed. ${RENEW}`,
  ],
  [
    'copiesActivity',
    'audit',
    'note',
    'copy events into the activity logs of accounts',
    `They lack what this instance records, which stands in the record alone. ${RENEW}`,
  ],
  [
    'boundsActivity',
    'audit',
    'unsafe',
    'hold activity logs within audit.activityMaxBytes',
    `They take the room of the record, account by account up to audit.activityPerAccount. ${RENEW}`,
  ],
  [
    'hashesAddresses',
    'audit',
    'unsafe',
    'keep the key by which addresses of clients are hashed',
    `Events leave the address out. ${RENEW}`,
  ],
  [
    'sharesAssertionKeys',
    'registry',
    'unsafe',
    'keep the keys that sign assertions',
    `Calls to upstreams with assertion are refused with 503. ${RENEW}`,
  ],
  [
    'sharesLimits',
    'registry',
    'unsafe',
    'count calls together with other instances',
    `Each instance limits by a share of its own, and a caller may get less or more than is configured. ${RENEW}`,
  ],
  [
    'notesUses',
    'registry',
    'note',
    'note for the lists of accounts whom it has let in',
    `Lists show tokens as unused that were let in. ${RENEW}`,
  ],
  [
    'keepsFigures',
    'registry',
    'note',
    'keep its figures for the console',
    `Console and \`sallyport top\` show figures without those of this instance, or forget after a day who called. ${RENEW}`,
  ],
  [
    'publishesRoutes',
    'registry',
    'note',
    'publish its routes',
    `A console or command apart from it cannot explain calls by them. ${RENEW}`,
  ],
];

/** What is to be said about the rights of the configured user. */
export function aboutRights(rights: RedisRights, context: FindingContext): readonly Finding[] {
  const { holds = 'both', hashesAddresses = false, signsAssertions = false } = context;
  const lacking = NEEDED.filter(
    ([right, of]) =>
      (holds === 'both' || holds === of) &&
      !rights[right] &&
      (right !== 'hashesAddresses' || hashesAddresses) &&
      (right !== 'sharesAssertionKeys' || signsAssertions),
  ).map(([, , severity, may, means]) => say(severity, `may not ${may}`, means));
  const changes = holds === 'audit' ? [] : aboutChanges(rights, context);
  return [...lacking, ...changes, ...aboutMore(rights)];
}

function say(severity: Finding['severity'], what: string, means: string): Finding {
  return { severity, server: null, found: `the configured user ${what}`, means };
}

/** The right to change the registry: whoever needs it should have it, and nobody else. */
function aboutChanges(
  { writesRegistry }: RedisRights,
  { administers, renewsTokens }: FindingContext,
): readonly Finding[] {
  const may = 'may not change the registry';
  if (writesRegistry && !administers) {
    const means =
      'This instance has no admin listener and needs only the user gate. As it is, whoever takes it over can make accounts for themselves.';
    return [say('unsafe', 'may change the registry', means)];
  }
  if (writesRegistry) return [];
  const findings: Finding[] = [];
  if (renewsTokens)
    findings.push(
      say(
        'unsafe',
        `${may}, and a route has action: renew-token`,
        'Callers get 503 there. That needs the user manager.',
      ),
    );
  if (administers) findings.push(say('unsafe', may, 'Administration needs the user manager.'));
  return findings;
}

/** Rights that nothing here needs. */
function aboutMore({ administersServer, leavesPrefix }: RedisRights): readonly Finding[] {
  const findings: Finding[] = [];
  if (administersServer)
    findings.push(
      say(
        'unsafe',
        'may see the settings of the server',
        'It may change them too, most likely. Use the users that ship.',
      ),
    );
  if (leavesPrefix)
    findings.push(
      say(
        'note',
        'may read keys beyond store.keyPrefix',
        'Others who share this Redis are not safe from this gate.',
      ),
    );
  return findings;
}
