import * as z from 'zod';
import type { OwnPermission } from '../../account/permission.ts';
import type { ChangeType } from '../../audit/event/audit-event.ts';
import type { AdminActor } from '../actor.ts';
import type { AdminContext } from '../context.ts';
import type { CsvListName } from '../lists-csv.ts';
import { LEAVE_NONE } from '../schemas/inputs.ts';

/**
 * One operation of administration: what it takes, who may, what it does, what it leaves in the
 * record, and where it is served over HTTP. Everything else follows from the row: the check of its
 * input, its place among the operations of the owner's socket and the command line, its routes with
 * their documentation and idempotency, and the requests by which it is asked for from afar.
 */
export interface Row {
  /** What the actor must hold; `its-own`: whoever may ask for it, the function looks. */
  readonly needs: OwnPermission | 'store-owner' | 'its-own';
  readonly shape: z.core.$ZodShape;
  readonly input: z.ZodObject;
  readonly run: (
    context: AdminContext,
    actor: AdminActor,
    input: never,
    on: never,
  ) => Promise<unknown>;
  /** Types of the events that it may leave in the record; none: it only looks. */
  readonly records: readonly ChangeType[];
  readonly routes: readonly Route[];
  /** It may take minutes. */
  readonly isLong?: true;
  /**
   * Where it needs a second administrator it waits for one: with its input, which holds no secret,
   * and its answer told to nobody. It asks no more of a store than a rehearsal has.
   */
  readonly canWait?: true;
  /** What it would do can be looked at first: what it asks of a store a rehearsal has. */
  readonly isPreviewed?: true;
  /** What it would have done to recorded calls can be asked for. */
  readonly isReplayed?: true;
  /** It is asked for over HTTP as another operation with these fields besides. */
  readonly as?: { readonly operation: string; readonly with: object };
}

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

export interface AnswerDoc {
  readonly description: string;
  readonly schema: z.ZodType;
  readonly etag?: true;
}

/**
 * Where an operation is served: fields are in its path, its query or its body, each in one place.
 */
export interface Route<Output = never> {
  /** In the OpenAPI document. */
  readonly id: string;
  readonly method: Method;
  /** Below the base; `{name}` is one segment. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** Fields whose name in the path is another. */
  readonly params?: Readonly<Record<string, string>>;
  /** Fields that the route itself says. */
  readonly fixed?: Readonly<Record<string, unknown>>;
  /** The field that is the token which the caller shows. */
  readonly shown?: string;
  /** Fields that are not said over HTTP. */
  readonly without?: readonly string[];
  readonly saying?: Saying;
  /** What the body is called in the document, of the fields that are left. */
  readonly body?: BodyDoc;
  readonly answers: Readonly<Record<number, AnswerDoc>>;
  /** The body of a response; without it, what the operation answers. */
  readonly tell?: (output: Output) => unknown;
  /** The way back, for who asks from afar. */
  readonly told?: (body: never) => unknown;
  /** Of the record in the response: becomes the ETag. */
  readonly version?: (output: Output) => number;
  /** A list that is whole: told by pages, each item with its key. */
  readonly pages?: (item: never) => string;
  readonly creates?: Creates<Output>;
  /** As which table it is told to who asks for `text/csv`. */
  readonly csv?: CsvListName;
}

/** How fields are said over HTTP, where that is otherwise than the operation takes them. */
export interface Saying {
  /** In the place of the operation's own. */
  readonly shape: z.core.$ZodShape;
  /** What the operation takes, of what was said. */
  readonly taken: (said: never) => object;
  /** What is said for it from afar; null: another route of the operation says it. */
  readonly said: (input: never) => object | null;
}

export interface BodyDoc {
  readonly name: string;
  readonly description?: string;
  /** It may be left out. */
  readonly optional?: true;
  /** Longest, in bytes, where it may be longer than usual. */
  readonly bytes?: number;
}

/** Of a creation: it takes `Idempotency-Key`. */
export interface Creates<Output> {
  /** By what it is found again. */
  readonly made: (output: Output) => string;
  /** The operation that shows it, and what that is asked. */
  readonly shownBy: string;
  readonly asked: (made: string) => object;
  /** What a repetition is told: the body of the first response without what is told once. */
  readonly again: (shown: never) => { readonly body: unknown; readonly version: number };
}

type KeyOf<Input> = Input extends unknown ? keyof Input : never;

interface RowOf<Input, Output, On> {
  readonly needs: Row['needs'];
  /** A schema for each field, and none besides. */
  readonly input: { readonly [Field in KeyOf<Input>]-?: z.core.$ZodType };
  readonly run: (context: AdminContext, actor: AdminActor, input: Input, on: On) => Promise<Output>;
  readonly records?: readonly ChangeType[];
  readonly routes?: readonly Route<Output>[];
  readonly isLong?: true;
  readonly canWait?: true;
  readonly isPreviewed?: true;
  readonly isReplayed?: true;
  readonly as?: Row['as'];
}

/** Binds the fields of an operation to the schemas that read them, and its routes to its answer. */
export function row<Input, Output, On>(
  given: RowOf<Input, Output, On>,
): Omit<Row, 'run'> & Pick<RowOf<Input, Output, On>, 'run'> {
  const { input: shape, records = [], routes = [], ...rest } = given;
  const input = z.strictObject(shape);
  return { ...rest, shape, input, records, routes } as never;
}

/** Fields that a route takes, by where they stand. */
export interface Places {
  /** All that the route may say. */
  readonly shape: z.core.$ZodShape;
  readonly path: Readonly<Record<string, string>>;
  readonly rest: z.core.$ZodShape;
  readonly isConditional: boolean;
  readonly waits: boolean;
}

/** Said by the path (`id`), by a header (`version`) or by the query of a change (`waitMs`). */
const ELSEWHERE: readonly string[] = ['version', 'waitMs', LEAVE_NONE];

export function placesOf(row: Row, route: Route): Places {
  const { path, params = {}, fixed = {}, shown, without = [] } = route;
  const shape = route.saying?.shape ?? row.shape;
  const inPath = [...path.matchAll(/\{([a-z]+)\}/gi)].map(([, name]) => name!);
  const named = Object.fromEntries(inPath.map((name) => [name, params[name] ?? name]));
  const byId = inPath.includes('id') ? ['name', 'kind'] : [];
  const taken = new Set([
    ...Object.values(named),
    ...Object.keys(fixed),
    ...without,
    ...(shown === undefined ? [] : [shown]),
    ...byId,
    ...ELSEWHERE,
  ]);
  const rest = Object.entries(shape).filter(([field]) => !taken.has(field));
  return {
    shape,
    path: named,
    rest: Object.fromEntries(rest),
    isConditional: shape.version !== undefined,
    waits: shape.waitMs !== undefined && !without.includes('waitMs'),
  };
}
