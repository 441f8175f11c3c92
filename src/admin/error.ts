/**
 * What administration says instead of doing a thing. Callers branch on `code`, never on the text;
 * the text is one line for people.
 *
 * - `not-found`: there is no such account, role, team, membership or grant
 * - `name-taken`: the name (or the application) already belongs to another
 * - `invalid`: the input cannot be accepted; `faults` names everything that is wrong with it, not
 *   only the first
 * - `in-use`: it cannot go because others still use it; `users` says who
 * - `last-administrator`: nobody would remain who may administer as much
 * - `forbidden`: the actor may not do this
 * - `stale`: the record is not at the version that the actor has seen; looking again shows what
 *   changed
 * - `awaits-approval`: nothing is changed yet, another administrator must approve it; `approval`
 *   says which change waits
 * - `conflict`: others kept changing the same records; trying again is safe
 * - `unavailable`: the store cannot be reached or did not answer in time
 */
export const ADMIN_ERROR_CODES = [
  'not-found',
  'name-taken',
  'invalid',
  'in-use',
  'last-administrator',
  'forbidden',
  'stale',
  'awaits-approval',
  'conflict',
  'unavailable',
] as const;

export type AdminErrorCode = (typeof ADMIN_ERROR_CODES)[number];

/** One thing that is wrong with an input. */
export interface Fault {
  /** The field as the caller knows it: `name`, `permissions[2]`. */
  readonly field: string;
  readonly message: string;
}

export class AdminError extends Error {
  override readonly name = 'AdminError';
  readonly code: AdminErrorCode;
  readonly faults: readonly Fault[];
  /** Names of what stands in the way, at most a handful; only for `in-use`. */
  readonly users: readonly string[];
  /** Id of the change that waits; only for `awaits-approval`. */
  readonly approval: string | null;

  constructor(
    code: AdminErrorCode,
    message: string,
    more: {
      readonly faults?: readonly Fault[];
      readonly users?: readonly string[];
      readonly approval?: string;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.faults = more.faults ?? [];
    this.users = more.users ?? [];
    this.approval = more.approval ?? null;
  }
}

export function notFound(what: string, name: string): AdminError {
  return new AdminError('not-found', `there is no ${what} named ${JSON.stringify(name)}`);
}

/** One error for any number of faults, its message naming them all. */
export function invalid(faults: readonly Fault[]): AdminError {
  return new AdminError(
    'invalid',
    faults.map((fault) => `${fault.field}: ${fault.message}`).join('; '),
    { faults },
  );
}
