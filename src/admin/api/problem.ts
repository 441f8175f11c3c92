import { type RefusalReason, refusalKind } from '../../refusal.ts';
import { AdminError, type AdminErrorCode, type Fault } from '../error.ts';

/**
 * What the API responds when an operation is refused or fails (RFC 9457). Callers branch on
 * `reason`, which is stable; `title` and `detail` are for people.
 */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly reason: string;
  readonly requestId: string;
  readonly detail?: string;
  /** Everything that is wrong with the input, not only the first. */
  readonly faults?: readonly Fault[];
  /** Names of what stands in the way, at most a handful; for `in-use`. */
  readonly users?: readonly string[];
  /** Id of the change that waits; for `awaits-approval`. */
  readonly approval?: string;
}

/** A "no" on its way to becoming a `Problem`. Refusals are values: nothing here is thrown. */
export interface Refused {
  readonly reason: AdminReason | RefusalReason;
  readonly detail?: string;
  readonly faults?: readonly Fault[];
  readonly users?: readonly string[];
  readonly approval?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Reasons of the API beside those that the gate itself has (refusal.ts). */
const REASONS = {
  'body-malformed': { status: 400, title: 'The body is not JSON' },
  forbidden: { status: 403, title: 'You may not do this' },
  'not-found': { status: 404, title: 'Not found' },
  'name-taken': { status: 409, title: 'The name is already taken' },
  'in-use': { status: 409, title: 'Others still use it' },
  'last-administrator': { status: 409, title: 'The last administrator cannot be removed' },
  'awaits-approval': {
    status: 409,
    title: 'Nothing is changed yet: another administrator must approve it',
  },
  conflict: { status: 409, title: 'Others changed the same at the same time; try again' },
  'idempotency-pending': {
    status: 409,
    title: 'The first request with this key is still under way',
  },
  'idempotency-spent': {
    status: 409,
    title: 'What the first request with this key made is no longer there',
  },
  'precondition-failed': { status: 412, title: 'It has been changed since you looked' },
  'media-type-refused': { status: 415, title: 'The body must be application/json' },
  invalid: { status: 422, title: 'The input cannot be accepted' },
  'idempotency-mismatch': { status: 422, title: 'The key was used for another request before' },
  unavailable: { status: 503, title: 'The store cannot be reached' },
} as const;

export type AdminReason = keyof typeof REASONS;

const OF_CODE: Readonly<Record<AdminErrorCode, AdminReason>> = {
  'not-found': 'not-found',
  'name-taken': 'name-taken',
  invalid: 'invalid',
  'in-use': 'in-use',
  'last-administrator': 'last-administrator',
  forbidden: 'forbidden',
  stale: 'precondition-failed',
  'awaits-approval': 'awaits-approval',
  conflict: 'conflict',
  unavailable: 'unavailable',
};

/** What administration says no with, as a refusal of the API; null for a fault of ours. */
export function refusedBy(error: unknown): Refused | null {
  if (!(error instanceof AdminError)) return null;
  const { code, message, faults, users, approval } = error;
  return {
    reason: OF_CODE[code],
    detail: message,
    ...(faults.length > 0 ? { faults } : {}),
    ...(users.length > 0 ? { users } : {}),
    ...(approval === null ? {} : { approval }),
  };
}

/** The way back, for who speaks to the API: the reason as an error code, where it is one. */
export function codeOfReason(reason: string): AdminErrorCode | null {
  const found = Object.entries(OF_CODE).find(([, known]) => known === reason);
  return found === undefined ? null : (found[0] as AdminErrorCode);
}

export function problemOf(
  { reason, detail, faults, users, approval }: Refused,
  requestId: string,
): Problem {
  const more = {
    ...(detail === undefined ? {} : { detail }),
    ...(faults === undefined ? {} : { faults }),
    ...(users === undefined ? {} : { users }),
    ...(approval === undefined ? {} : { approval }),
  };
  if (isOwn(reason))
    return {
      type: `urn:sallyport:admin:${reason}`,
      ...REASONS[reason],
      reason,
      requestId,
      ...more,
    };
  const { status, title, publicReason = reason } = refusalKind(reason);
  return {
    type: `urn:sallyport:refusal:${publicReason}`,
    title,
    status,
    reason: publicReason,
    requestId,
    ...more,
  };
}

/** Header fields that belong to a refusal whatever it is about. */
export function problemHeaders(
  { reason, headers }: Refused,
  realm: string,
): Record<string, string> {
  const fields: Record<string, string> = { 'content-type': 'application/problem+json', ...headers };
  if (isOwn(reason)) return reason === 'unavailable' ? { 'retry-after': '1', ...fields } : fields;
  const { bearerError, retryAfterSeconds } = refusalKind(reason);
  if (bearerError !== undefined) {
    // RFC 6750 §3: no error code when no credentials were presented.
    fields['www-authenticate'] =
      `Bearer realm="${realm}"${bearerError === '' ? '' : `, error="${bearerError}"`}`;
  }
  if (retryAfterSeconds !== undefined) fields['retry-after'] ??= String(retryAfterSeconds);
  return fields;
}

function isOwn(reason: AdminReason | RefusalReason): reason is AdminReason {
  return Object.hasOwn(REASONS, reason);
}

/** Whether it is one of the gate's own reasons. */
export function isRefusal(reason: AdminReason | RefusalReason): reason is RefusalReason {
  return !isOwn(reason);
}
