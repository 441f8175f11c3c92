import { AdminError, type Fault } from '../admin/error.ts';

/** How an administrative act went: what a form needs to show itself again. */
export type Attempted<T> =
  | { readonly done: true; readonly value: T }
  | {
      readonly done: false;
      readonly status: 403 | 404 | 409 | 422 | 503;
      readonly message: string;
      readonly faults: readonly Fault[];
    };

const STATUS = {
  'not-found': 404,
  'name-taken': 409,
  invalid: 422,
  'in-use': 409,
  'last-administrator': 409,
  forbidden: 403,
  stale: 409,
  'awaits-approval': 409,
  conflict: 409,
  unavailable: 503,
} as const;

/**
 * What administration refuses becomes a value; faults stay exceptions, and so does what waits for
 * approval: there is a page for it.
 */
export async function attempt<T>(work: () => Promise<T>): Promise<Attempted<T>> {
  try {
    return { done: true, value: await work() };
  } catch (error) {
    if (!(error instanceof AdminError) || error.code === 'awaits-approval') throw error;
    return { done: false, status: statusOf(error), message: error.message, faults: error.faults };
  }
}

export function statusOf(error: AdminError): (typeof STATUS)[keyof typeof STATUS] {
  return STATUS[error.code];
}
