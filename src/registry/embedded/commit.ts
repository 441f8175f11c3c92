import { encodeRecord, withVersion } from '../codec.ts';
import type { ChangeRecord, Commit, RecordKind } from '../commit.ts';
import type { EmbeddedLists } from '../listing/embedded/lists.ts';
import { entryOf } from '../listing/entry.ts';
import { RegistryUnavailable } from '../port.ts';
import type { Position } from '../position.ts';
import { Conflict } from './conflict.ts';
import type { RegistryFile } from './file.ts';
import { SealedRows } from './rows.ts';
import type { EmbeddedTombstones } from './tombstones.ts';
import { applyWaiting } from './waiting.ts';

/**
 * How much history the feed keeps, in entries. The reader sits in the same process, so this is far
 * more than it can miss.
 */
const FEED_ENTRIES = 10_000;

const DAMAGED_VERSION = -1;

/**
 * To be called inside a transaction: does everything or, by a thrown `Conflict`, nothing. Returns
 * where the registry is afterwards.
 */
export function applyCommit(
  file: RegistryFile,
  { lists, tombstones }: { readonly lists: EmbeddedLists; readonly tombstones: EmbeddedTombstones },
  commit: Commit,
): Position {
  const { epoch, seq: before } = file.position();
  const seq = before + 1;
  for (const { kind, key, version } of commit.expects) {
    const stored = versionOf(file, kind, key);
    if (stored === DAMAGED_VERSION)
      throw new RegistryUnavailable('damaged', `${kind} ${key} cannot be read`);
    if (stored !== version)
      throw new Conflict({ committed: false, conflict: 'version', key: `${kind}:${key}` });
  }
  for (const { target, count } of commit.users ?? [])
    if (countUsers(file, target) !== count)
      throw new Conflict({ committed: false, conflict: 'version', key: target });
  tombstones.settle(commit);
  if (commit.waiting !== undefined) applyWaiting(file, commit.waiting);
  const rows = new SealedRows(file, file.totals());
  applyClaims(file, rows, commit);
  applyReferences(file, rows, commit);
  const entry = commit.changes.map(({ kind, key, record }) => {
    const text = record === null ? '' : withVersion(encodeRecord(record), seq);
    if (record === null) rows.drop(kind, key);
    else rows.put(kind, key, text);
    return [`${kind}:${key}`, text] as const;
  });
  file.run('INSERT INTO feed VALUES (?, ?)', seq, JSON.stringify(entry));
  file.run('DELETE FROM feed WHERE seq <= ?', seq - FEED_ENTRIES);
  rows.moveTo(epoch, seq);
  for (const audit of [commit.audit, ...(commit.moreAudit ?? [])]) applyAudit(file, audit);
  for (const { kind, key, record } of commit.changes)
    if (kind === 'account' && record === null)
      file.run('DELETE FROM last_use WHERE account = ?', key);
  applyLists(lists, commit, before);
  return { epoch, seq };
}

/** Lists that lack a change before this one are made anew by whoever asks for them. */
function applyLists(lists: EmbeddedLists, { changes }: Commit, before: number): void {
  if (lists.state().seq !== before) return;
  lists.together(() => {
    for (const change of changes)
      if (change.kind === 'account')
        lists.list(change.key, change.record === null ? null : entryOf(change.record));
  });
  lists.moveTo(before + 1);
}

function applyClaims(file: RegistryFile, rows: SealedRows, { claims }: Commit): void {
  for (const claim of claims.drop) rows.release(claim);
  for (const { claim, owner } of claims.take) {
    const held = file.ownerOf(claim);
    if (held !== null && held !== owner)
      throw new Conflict({ committed: false, conflict: 'claim', key: claim });
    rows.take(claim, owner);
  }
}

function applyReferences(
  file: RegistryFile,
  rows: SealedRows,
  { references, unreferenced }: Commit,
): void {
  for (const { target, user } of references.remove) rows.unrefer(target, user);
  for (const { target, user } of references.add) rows.refer(target, user);
  for (const target of unreferenced) {
    const count = countUsers(file, target);
    if (count > 0)
      throw new Conflict({ committed: false, conflict: 'referenced', key: target, count });
  }
}

function countUsers(file: RegistryFile, target: string): number {
  return Number(file.get('SELECT count(*) AS n FROM reference WHERE target = ?', target)?.n);
}

export function applyAudit(file: RegistryFile, audit: ChangeRecord): void {
  const { lastInsertRowid } = file.run('INSERT INTO change (event) VALUES (?)', audit.event);
  for (const account of audit.accounts)
    file.run('INSERT OR IGNORE INTO account_change VALUES (?, ?)', account, lastInsertRowid);
}

function versionOf(file: RegistryFile, kind: RecordKind, key: string): number {
  const text = file.record(kind, key);
  return text === null ? 0 : Number(/^\{"version":(\d+),/.exec(text)?.[1] ?? DAMAGED_VERSION);
}
