/**
 * What an instance knows of a record that it has seen change. A store that has lost the change
 * (failover) is told, and everyone who reads the record from it is told with it.
 */
export type Tombstone = AccountTombstone | PolicyTombstone;

/**
 * What was revoked of an account: `deleted` and `digests` for good, `inactive` and `rights` until
 * somebody who saw it activates the account; all of it until an import is told to revive the
 * account.
 */
export interface AccountTombstone {
  readonly account: string;
  /**
   * Digest -> the moment (ms since the epoch, wall clock) from which it counts for nothing; 0 =
   * since ever.
   */
  readonly digests: Readonly<Record<string, number>>;
  readonly deleted: boolean;
  readonly inactive: boolean;
  /**
   * What the account was last seen to be allowed (`rightsOf`). While its record says otherwise, a
   * lowering may be lost, and the account is inactive until somebody who saw that activates it.
   * `*`: instances have seen different things. Absent: nothing is held against it.
   */
  readonly rights?: string;
  /**
   * As of which change of this registry that was known; 0: in an earlier registry. A record that
   * was revived then or later (`Account.revived`) is not held to it. Absent: every record is.
   */
  readonly seq?: number;
}

/** `role:deployer`, `team:billing`. */
export type PolicyLabel = `${'role' | 'team'}:${string}`;

/**
 * What instances have last seen of a role or team. Until it is changed by somebody who saw that, a
 * role allows only what all of them have seen it allow, and of a team everything is in doubt in
 * which they, and its record, differ (`Role.inDoubt`, `Team.inDoubt`).
 */
export interface PolicyTombstone {
  readonly policy: PolicyLabel;
  /**
   * Permissions or applications, sorted, as each instance has last seen them; none twice. An empty
   * one: there were none, or the record was deleted.
   */
  readonly seen: readonly (readonly string[])[];
  /** As in `AccountTombstone`. */
  readonly seq?: number;
}
