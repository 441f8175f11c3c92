import type { Account, Role, Team } from '../../src/account/model.ts';
import type { Commit, RecordChange } from '../../src/registry/commit.ts';

const MOMENT = '2026-01-01T00:00:00.000Z';

/** The n-th account id: 12 characters, in the order of n. */
export function idOf(n: number): string {
  return `A${String(n).padStart(11, '0')}`;
}

export function role(name: string, permissions: readonly string[] = ['deployments:read']): Role {
  return { name, version: 0, description: '', permissions, createdAt: MOMENT, updatedAt: MOMENT };
}

export function team(name: string, applications: readonly string[] = []): Team {
  return { name, version: 0, description: '', applications, createdAt: MOMENT, updatedAt: MOMENT };
}

export function account(n: number, parts: Partial<Account> = {}): Account {
  return {
    id: idOf(n),
    version: 0,
    kind: 'service',
    name: `account-${n}`,
    description: '',
    status: 'active',
    role: 'viewer',
    teams: [],
    grants: [],
    createdAt: MOMENT,
    updatedAt: MOMENT,
    expiresAt: null,
    token: { digest: digestOf(n), createdAt: MOMENT },
    retired: [],
    password: null,
    ...parts,
  };
}

export function digestOf(n: number): string {
  return n.toString(16).padStart(64, '0');
}

/** A commit of the given changes, with nothing else unless said. */
export function commitOf(changes: readonly RecordChange[], parts: Partial<Commit> = {}): Commit {
  return {
    expects: [],
    changes,
    claims: { take: [], drop: [] },
    references: { add: [], remove: [] },
    unreferenced: [],
    audit: { event: '{"type":"test"}', accounts: [] },
    ...parts,
  };
}

/** Creates the account as administration does: with its name claimed and its role referred to. */
export function creation(record: Account): Commit {
  const owner = `account:${record.id}`;
  return commitOf([{ kind: 'account', key: record.id, record }], {
    expects: [{ kind: 'account', key: record.id, version: 0 }],
    claims: { take: [{ claim: `name:${record.name}`, owner }], drop: [] },
    references: { add: [{ target: `role:${record.role}`, user: owner }], remove: [] },
    audit: { event: `{"created":"${record.id}"}`, accounts: [record.id] },
  });
}

/** Writes the account over the one whose version is given. */
export function update(record: Account, version: number): Commit {
  return commitOf([{ kind: 'account', key: record.id, record }], {
    expects: [{ kind: 'account', key: record.id, version }],
    audit: { event: `{"updated":"${record.id}"}`, accounts: [record.id] },
  });
}
