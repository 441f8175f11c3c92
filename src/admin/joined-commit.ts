import type { Commit, RecordKind } from '../registry/commit.ts';

/**
 * A row of changes, each computed from what the ones before it leave, as one: all of them or none.
 * What is made and taken back on the way is not there at all.
 *
 * @param written the version at which a record is that an earlier step of the same row has written;
 *   undefined: none has
 */
export function joinedCommit(
  commits: readonly [Commit, ...Commit[]],
  written: (key: string) => number | undefined,
): Commit {
  const [{ audit }] = commits;
  const under = commits.flatMap(({ underTombstones }) => underTombstones ?? []);
  return {
    expects: expectsOf(commits, written),
    changes: lastOf(commits),
    ...heldBy(commits),
    activates: commits.flatMap(({ activates }) => activates ?? []),
    revives: commits.flatMap(({ revives }) => revives ?? []),
    users: commits.flatMap(({ users }) => users ?? []),
    unreferenced: commits.flatMap(({ unreferenced }) => unreferenced),
    // Where they differ, the earliest is no longer true.
    ...(under.length === 0 ? {} : { underTombstones: Math.min(...under) }),
    audit,
    moreAudit: commits.flatMap((one, index) => [
      ...(index === 0 ? [] : [one.audit]),
      ...(one.moreAudit ?? []),
    ]),
  };
}

export function keyOf({ kind, key }: { readonly kind: RecordKind; readonly key: string }): string {
  return `${kind}:${key}`;
}

/** What the store must hold before the first of them: what they make themselves is not expected. */
function expectsOf(
  commits: readonly Commit[],
  written: (key: string) => number | undefined,
): Commit['expects'] {
  const made = new Set<string>();
  const expected = new Map<string, Commit['expects'][number]>();
  for (const { expects, changes } of commits) {
    for (const one of expects) {
      const key = keyOf(one);
      if (made.has(key) || expected.has(key)) continue;
      expected.set(key, { ...one, version: written(key) ?? one.version });
    }
    for (const change of changes) made.add(keyOf(change));
  }
  return [...expected.values()];
}

function lastOf(commits: readonly Commit[]): Commit['changes'] {
  const changes = commits.flatMap((commit) => commit.changes);
  return [...new Map(changes.map((change) => [keyOf(change), change])).values()];
}

/** Claims and references: what the first says of each and what the last one does. */
function heldBy(commits: readonly Commit[]): Pick<Commit, 'claims' | 'references'> {
  const claims = new Net<{ claim: string; owner: string }, string>();
  const references = new Net<{ target: string; user: string }, { target: string; user: string }>();
  for (const commit of commits) {
    for (const claim of commit.claims.drop) claims.gone(claim, claim);
    for (const take of commit.claims.take) claims.come(take.claim, take);
    for (const one of commit.references.remove) references.gone(`${one.target} ${one.user}`, one);
    for (const one of commit.references.add) references.come(`${one.target} ${one.user}`, one);
  }
  return {
    claims: { take: claims.last, drop: claims.first },
    references: { add: references.last, remove: references.first },
  };
}

/** What comes and goes, by key: it was there at first where its first word is that it goes. */
class Net<Come, Gone> {
  readonly #first = new Map<string, Gone | null>();
  readonly #last = new Map<string, Come | null>();

  gone(key: string, what: Gone): void {
    if (!this.#first.has(key)) this.#first.set(key, what);
    this.#last.set(key, null);
  }

  come(key: string, what: Come): void {
    if (!this.#first.has(key)) this.#first.set(key, null);
    this.#last.set(key, what);
  }

  get first(): Gone[] {
    return [...this.#first.values()].filter((one) => one !== null);
  }

  get last(): Come[] {
    return [...this.#last.values()].filter((one) => one !== null);
  }
}
