import type * as z from 'zod';
import type { OwnPermission } from '../../account/permission.ts';
import type { Principal } from '../../account/principal.ts';
import type { Origin } from '../../decision/origin.ts';
import type { AdminActor } from '../actor.ts';
import type { Control } from '../control.ts';
import type { CsvListName } from '../lists-csv.ts';
import type { AnswerDoc, Method } from '../operations/row.ts';

/** Who asks: the account whose token was shown, and what it may do here. */
export interface Caller {
  readonly actor: AdminActor;
  readonly principal: Principal;
  /** The token that was shown. Kept as long as the request is under way. */
  readonly token: string;
  /** From where. */
  readonly origin: Origin;
}

/** Everything that an operation works with. */
export interface OperationServices {
  readonly control: Control;
  /** Takes a token that somebody has found out of use; the response tells nothing. */
  found(token: string): Promise<void>;
}

export interface Call<P, Q, B> {
  readonly caller: Caller;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** From `If-Match`: the version that the caller has seen; null when it does not say. */
  readonly version: number | null;
}

/** What an operation answers. */
export interface OperationResult {
  readonly status: number;
  readonly body: unknown;
  /** Of the record in the response: becomes the ETag. */
  readonly version?: number;
  /** What a creation has made, for who repeats it. */
  readonly made?: string;
}

/** One operation: the row of the table that routes, checks, guards, answers and documents. */
export interface Operation {
  readonly id: string;
  readonly method: Method;
  /** Below the base; `{name}` is one segment. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /**
   * What the caller's default role must hold. `any`: a valid token is enough. `nobody`: not even
   * that.
   */
  readonly needs: OwnPermission | 'any' | 'nobody';
  readonly params: z.ZodObject | null;
  readonly query: z.ZodObject | null;
  readonly body: z.ZodObject | null;
  /** The body may be left out. */
  readonly bodyOptional?: true;
  /** Longest body, in bytes, where it may be longer than `BODY_BYTES`. */
  readonly bodyBytes?: number;
  /** Takes `If-Match`. */
  readonly conditional?: true;
  /** Takes `Idempotency-Key`. */
  readonly creates?: (
    services: OperationServices,
    call: Call<never, never, never>,
    made: string,
  ) => Promise<OperationResult>;
  readonly answers: Readonly<Record<number, AnswerDoc>>;
  /** A list, told as this table to who asks for `text/csv`. */
  readonly csv?: CsvListName;
  readonly handle: (
    services: OperationServices,
    call: Call<never, never, never>,
  ) => Promise<OperationResult>;
}

/** `{ [name]: value }` for what is there. */
export function defined<T extends Readonly<Record<string, unknown>>>(
  fields: T,
): { readonly [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as never;
}
