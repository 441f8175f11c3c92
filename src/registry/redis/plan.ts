import type { RegistryKeys } from '../../store/keys.ts';
import { encodeRecord } from '../codec.ts';
import type { Commit, RecordKind } from '../commit.ts';
import { entryOf } from '../listing/entry.ts';
import { rightsOf } from '../revoked/tombstone.ts';

/**
 * A commit as the script reads it: the keys that it touches beyond the fixed ones, and a plan that
 * names them by their number in KEYS.
 */
export interface CommitPlan {
  readonly keys: readonly string[];
  readonly json: string;
}

interface Place {
  readonly key: number;
  /** Empty: the key itself is the record. */
  readonly field: string;
  readonly label: string;
}

/** Keys are declared, not built inside the script: Cluster and the ACL must see them. */
class KeyTable {
  readonly keys: string[];
  readonly #numbers = new Map<string, number>();
  readonly #fixed: number;
  readonly types: string[] = [];

  constructor(fixed: readonly string[]) {
    this.keys = [...fixed];
    this.#fixed = fixed.length;
    fixed.forEach((key, index) => {
      this.#numbers.set(key, index + 1);
    });
  }

  /** The key's number, counted from 1 as Lua does. */
  number(key: string, type: 'string' | 'set' | 'stream' | 'hash'): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.keys.push(key);
    this.types[this.keys.length - this.#fixed - 1] = type;
    this.#numbers.set(key, this.keys.length);
    return this.keys.length;
  }
}

export function planCommit(keys: RegistryKeys, commit: Commit): CommitPlan {
  const { meta, accounts, roles, teams, claims, feed, changes, members, tombstones } = keys;
  const table = new KeyTable([
    meta,
    accounts,
    roles,
    teams,
    claims,
    feed,
    changes,
    members,
    tombstones,
    ...keys.lists,
  ]);
  const place = (kind: RecordKind, key: string): Place => {
    const label = `${kind}:${key}`;
    if (kind === 'account')
      return { key: table.number(keys.account(key), 'string'), field: '', label };
    return {
      key: table.number(kind === 'role' ? keys.roles : keys.teams, 'hash'),
      field: key,
      label,
    };
  };
  const reference = (target: string, user: string) => ({
    key: table.number(keys.references(target), 'set'),
    user,
  });
  const plan = {
    expects: commit.expects.map(({ kind, key, version }) => ({ ...place(kind, key), version })),
    changes: commit.changes.map(({ kind, key, record }) => ({
      ...place(kind, key),
      id: key,
      text: record === null ? '' : encodeRecord(record),
      ...(kind === 'account' && record !== null
        ? { entry: entryOf(record), rights: rightsOf(record) }
        : {}),
    })),
    users: (commit.users ?? []).map(({ target, count }) => ({
      key: table.number(keys.references(target), 'set'),
      label: target,
      count,
    })),
    take: commit.claims.take,
    drop: commit.claims.drop,
    add: commit.references.add.map(({ target, user }) => reference(target, user)),
    remove: commit.references.remove.map(({ target, user }) => reference(target, user)),
    unreferenced: commit.unreferenced.map((target) => ({
      key: table.number(keys.references(target), 'set'),
      label: target,
    })),
    activates: commit.activates ?? [],
    revives: commit.revives ?? [],
    under: commit.underTombstones,
    ...(commit.waiting === undefined
      ? {}
      : { waiting: { ...commit.waiting, key: table.number(keys.waiting, 'hash') } }),
    events: [commit.audit, ...(commit.moreAudit ?? [])].map(({ event, accounts: ids }) => ({
      event,
      accounts: ids.map((id) => table.number(keys.changesOf(id), 'stream')),
    })),
    types: table.types,
  };
  return { keys: table.keys, json: JSON.stringify(plan) };
}
