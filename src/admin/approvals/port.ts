/** What the configuration says (`console.approvals`), asked anew at each change. */
export interface ApprovalRule {
  /** Names of the protected roles; none: nothing waits. */
  roles(): readonly string[];
  /** For how long a change waits, in milliseconds. */
  lifetimeMs(): number;
  /** The owner of the store makes it without approval; the record says so. */
  readonly isWaived?: true;
}
