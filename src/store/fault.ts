/**
 * What can go wrong between us and a store, told apart once, here. The rooms above turn it into
 * their own unavailability.
 *
 * The message holds what a log may hold: never a command's arguments, which can be a password or a
 * record.
 */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  /** To be expected of a store: a log says what it is, and not where in the program. */
  readonly isOutage = true;
  /**
   * `unreachable`: no answer (connection, timeout): what was asked may or may not have happened ·
   * `refused`: the server said that it can't now · `forbidden`: credentials or rights · `damaged`:
   * what is stored is not what it should be
   */
  readonly why: 'unreachable' | 'refused' | 'forbidden' | 'damaged';
  /** The store's own code (`READONLY`, `ECONNREFUSED`), or null. */
  readonly code: string | null;

  constructor(why: StoreUnavailable['why'], code: string | null, message: string) {
    super(message);
    this.why = why;
    this.code = code;
  }
}

/** Another process holds the embedded store: it has one owner at a time. */
export class StoreInUse extends Error {
  override readonly name = 'StoreInUse';
  readonly path: string;

  constructor(path: string) {
    super(`${path} is in use by another process`);
    this.path = path;
  }
}
