import * as z from 'zod';
import { OPERATIONS, type OperationName } from '../administration.ts';
import type { Receipted } from '../context.ts';
import { type Places, placesOf, type Route, type Row } from '../operations/row.ts';
import { PAGE, REF } from '../schemas/inputs.ts';
import { queryOf } from '../schemas/parameters.ts';
import { accountId, objectComponent } from '../schemas/words.ts';
import { type Call, defined, type Operation, type OperationResult } from './operation.ts';
import { pageOf } from './pages.ts';

/** The routes of the table of operations: how each is asked for, and answered, over HTTP. */

/** All routes of these operations, in their order. */
export function routesOf(names: readonly OperationName[]): readonly Operation[] {
  return names.flatMap((name) =>
    (OPERATIONS[name] as Row).routes.map((route) => operationOf(name, OPERATIONS[name], route)),
  );
}

/** What a call says in any of the places that it has. */
type AnyCall = Call<Record<string, string>, Record<string, unknown>, Record<string, unknown>>;

function operationOf(name: OperationName, row: Row, route: Route): Operation {
  const { id, method, path, tag, summary, description, answers, body } = route;
  const { isConditional, ...places } = placesOf(row, route);
  return {
    ...{ id, method, path, tag, summary, answers },
    ...(description === undefined ? {} : { description }),
    needs: neededBy(row, route),
    params: paramsOf(places),
    query: queryIn(route, places),
    body: body === undefined ? null : objectComponent(body.name, places.rest, body.description),
    ...(route.csv === undefined ? {} : { csv: route.csv }),
    ...(body?.optional === undefined ? {} : { bodyOptional: body.optional }),
    ...(body?.bytes === undefined ? {} : { bodyBytes: body.bytes }),
    ...(isConditional && method !== 'get' ? { conditional: true } : {}),
    ...(route.creates === undefined ? {} : { creates: (...asked) => again(route, ...asked) }),
    handle: async ({ control }, call: AnyCall) => {
      const { administration } = control;
      const input = { ...inputOf(route, places.path, call) };
      const output = await administration[name](call.caller.actor, input as never);
      return resultOf(route, output, call.query);
    },
  } as Operation;
}

function neededBy({ needs }: Row, { shown }: Route): Operation['needs'] {
  if (needs === 'its-own') return shown === undefined ? 'nobody' : 'any';
  if (needs === 'store-owner') throw new TypeError('what needs the store has no route');
  return needs;
}

function paramsOf({ shape, path }: Pick<Places, 'shape' | 'path'>): z.ZodObject | null {
  const fields = Object.entries(path).map(([name, field]) => [
    name,
    // An account that is named in a path has an id as accounts have it.
    field === 'id' ? accountId : shape[field],
  ]);
  return fields.length === 0 ? null : z.strictObject(Object.fromEntries(fields));
}

function queryIn(
  { method, pages }: Route,
  { rest, waits }: Pick<Places, 'rest' | 'waits'>,
): z.ZodObject | null {
  if (method !== 'get') return waits ? queryOf({ waitMs: REF.waitMs }) : null;
  const shape = pages === undefined ? rest : { ...rest, ...PAGE };
  return Object.keys(shape).length === 0 ? null : queryOf(shape);
}

/** As the operation takes it; what was not said is absent. */
function inputOf(
  { fixed = {}, shown, pages, saying }: Route,
  path: Readonly<Record<string, string>>,
  { caller, params, query, body, version }: AnyCall,
): object {
  const named = Object.entries(path).map(([name, field]) => [field, params[name]]);
  const said = defined({
    ...fixed,
    ...Object.fromEntries(named),
    ...(pages === undefined ? query : {}),
    ...body,
    ...(shown === undefined ? {} : { [shown]: caller.token }),
    version: version ?? undefined,
  });
  const taken = saying?.taken as ((said: object) => object) | undefined;
  return taken === undefined ? said : taken(said);
}

function resultOf(route: Route, output: unknown, query: object): OperationResult {
  const { creates, pages, tell, version, answers } = route as Route<unknown>;
  const { revocation } = Object(output) as Receipted;
  const plain = tell === undefined ? output : tell(output);
  const paged = pages as ((item: unknown) => string) | undefined;
  return {
    status: creates !== undefined ? 201 : statusOf(answers, revocation?.effective === false),
    body: paged === undefined ? plain : pageOf(sorted(plain as unknown[], paged), paged, query),
    ...(version === undefined ? {} : { version: version(output) }),
    ...(creates === undefined ? {} : { made: creates.made(output) }),
  };
}

/** 202 when a change is made and not everybody has confirmed it yet, and for what only begins. */
function statusOf(answers: Route['answers'], isPending: boolean): number {
  return (isPending || answers[200] === undefined) && answers[202] !== undefined ? 202 : 200;
}

function sorted<T>(items: readonly T[], keyOf: (item: T) => string): readonly T[] {
  return [...items].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** A repetition of a creation: what was made, as it is now. */
async function again(
  { creates }: Route,
  { control }: Parameters<Operation['handle']>[0],
  { caller }: Call<never, never, never>,
  made: string,
): Promise<OperationResult> {
  const { shownBy, asked, again: tell } = creates!;
  const show = control.administration[shownBy as OperationName];
  const shown = await show(caller.actor, asked(made) as never);
  return { status: 200, ...tell(shown as never) };
}
