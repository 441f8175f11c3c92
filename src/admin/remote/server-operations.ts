import type { AccountKind } from '../../account/model.ts';
import type { AccountRef } from '../accounts.ts';
import { OPERATIONS, type OperationName } from '../administration.ts';
import { AdminError, notFound } from '../error.ts';
import type { AccountViewPage } from '../list-accounts.ts';
import { type Places, placesOf, type Route, type Row } from '../operations/row.ts';
import { kindWord } from '../records.ts';
import { LEAVE_NONE, WITHOUT_APPROVAL } from '../schemas/inputs.ts';
import type { ApiClient, ApiRequest } from './api-client.ts';

/**
 * Operations of administration as requests, by the routes of their rows. The API knows accounts by
 * their ids, people by their names: a name is looked up first.
 */
export async function askFor(
  client: ApiClient,
  name: OperationName,
  input: object,
): Promise<unknown> {
  const row: Row = OPERATIONS[name];
  if (row.as !== undefined)
    return askFor(client, row.as.operation as OperationName, { ...input, ...row.as.with });
  if (row.routes.length === 0) return refusedFromAfar();
  if (LEAVE_NONE in input)
    throw new AdminError(
      'invalid',
      'the last administrator can go on the store itself only: name it with --config',
    );
  if (WITHOUT_APPROVAL in input)
    throw new AdminError(
      'invalid',
      'only on the store itself is anything changed without approval: name it with --config',
    );
  const { route, said } = await placed(client, row, input as Input);
  const places = placesOf(row, route);
  const patienceMs = row.isLong === true ? LONG_MS : 0;
  const request = requestOf(route, places, said, patienceMs);
  const told = (route.told ?? ((body: unknown) => body)) as (body: unknown) => unknown;
  return told(route.pages === undefined ? await client.ask(request) : await all(client, request));
}

export async function refusedFromAfar(): Promise<never> {
  throw new AdminError(
    'invalid',
    'this cannot be done over --server: name the store with --config',
  );
}

type Input = Readonly<Record<string, unknown>> & { readonly kind?: AccountKind };

/** The route that serves such an account, and the input with its id. */
async function placed(
  client: ApiClient,
  { routes }: Row,
  input: Input,
): Promise<{ readonly route: Route; readonly said: Input }> {
  const [first] = routes as readonly [Route, ...Route[]];
  if (first.saying !== undefined) return inItsWords(routes, input);
  const byId = first.path.includes('{id}');
  const fixed = (route: Route) => route.fixed?.kind;
  const only = routes.length === 1 ? (fixed(first) as AccountKind | undefined) : undefined;
  const found = byId ? await resolve(client, { ...input, kind: input.kind ?? only } as never) : {};
  const said: Input = { ...input, ...found };
  const { kind = 'service' } = said;
  return { route: routes.find((route) => fixed(route) === kind) ?? first, said };
}

/** The first route by which such an input can be said, and how. */
function inItsWords(routes: readonly Route[], input: Input) {
  for (const route of routes) {
    const said = (route.saying?.said as ((input: Input) => Input | null) | undefined)?.(input);
    if (said != null) return { route, said };
  }
  return refusedFromAfar();
}

/** What an operation that may take minutes may take besides. */
const LONG_MS = 600_000;

function requestOf(
  route: Route,
  { path, rest, waits }: Places,
  input: Input,
  patienceMs: number,
): ApiRequest {
  const at = Object.entries(path).reduce(
    (so, [name, field]) => so.replace(`{${name}}`, encodeURIComponent(String(input[field]))),
    route.path,
  );
  const fields = Object.entries(input).filter(
    ([field, value]) => rest[field] !== undefined && value !== undefined,
  );
  const isRead = route.method === 'get';
  const { waitMs, version } = input as { readonly waitMs?: number; readonly version?: number };
  const wait = waits && waitMs !== undefined;
  const { shown } = route;
  return {
    method: route.method.toUpperCase() as ApiRequest['method'],
    path: at,
    query: { ...(isRead ? Object.fromEntries(fields) : {}), ...(wait ? { waitMs } : {}) } as never,
    patienceMs: patienceMs + (wait ? waitMs : 0),
    ...(version === undefined ? {} : { headers: { 'if-match': `"${version}"` } }),
    ...(route.body === undefined ? {} : { body: Object.fromEntries(fields) }),
    ...(shown === undefined ? {} : { token: String(input[shown]) }),
  };
}

const PLACES: Readonly<Record<AccountKind, string>> = {
  service: '/service-accounts',
  user: '/users',
};

/** The id behind a name. Whoever does not say of which kind it is means either. */
async function resolve(
  client: ApiClient,
  ref: AccountRef,
): Promise<{ readonly kind: AccountKind; readonly id: string }> {
  if (ref.id !== undefined) return { kind: ref.kind ?? 'service', id: ref.id };
  const kinds: readonly AccountKind[] = ref.kind === undefined ? ['service', 'user'] : [ref.kind];
  for (const kind of kinds) {
    const { items } = await client.ask<AccountViewPage>({
      method: 'GET',
      path: PLACES[kind],
      query: { name: ref.name },
    });
    if (items[0] !== undefined) return { kind, id: items[0].id };
  }
  throw notFound(ref.kind === undefined ? 'account' : kindWord({ kind: ref.kind }), ref.name);
}

/** Lists that are bounded as a whole: roles and teams. */
async function all<T>(client: ApiClient, request: ApiRequest): Promise<readonly T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const page: { readonly items: readonly T[]; readonly next: string | null } = await client.ask({
      ...request,
      query: { limit: 500, cursor },
    });
    items.push(...page.items);
    cursor = page.next;
  } while (cursor !== null);
  return items;
}
