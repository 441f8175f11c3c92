import type { AccountKind } from '../../account/model.ts';
import type { AccountRef } from '../accounts.ts';
import type { Administration, OperationName } from '../administration.ts';
import { notFound } from '../error.ts';
import type { AccountViewPage } from '../list-accounts.ts';
import { kindWord } from '../records.ts';
import type { TeamView } from '../views.ts';
import type { ApiClient, ApiRequest } from './api-client.ts';

type Input<Name extends OperationName> = Parameters<Administration[Name]>[1];
type Output<Name extends OperationName> = ReturnType<Administration[Name]>;

/**
 * Each operation of administration as a request, or two: the API knows accounts by their ids,
 * people by their names.
 */
export const OPERATIONS_OVER_HTTP: {
  readonly [Name in OperationName]?: (client: ApiClient, input: Input<Name>) => Output<Name>;
} = {
  createServiceAccount: (client, body) =>
    client.ask({ method: 'POST', path: '/service-accounts', body }),
  rotateToken: async (client, { overlapMs, ...ref }) =>
    client.ask({
      ...(await at(client, ref, '/token')),
      method: 'POST',
      body: given({ overlapMs }),
    }),
  closeOverlap: async (client, ref) =>
    client.ask({ ...(await at(client, ref, '/token/overlap')), method: 'DELETE' }),
  renewToken: (client, { token, overlapMs, waitMs }) =>
    client.ask({
      ...waiting(waitMs),
      method: 'POST',
      path: '/token/renew',
      body: given({ overlapMs }),
      token,
    }),
  reportToken: async (client, { token }) => {
    await client.ask({ method: 'POST', path: '/tokens/found', body: { token } });
    // The answer tells nothing, whoever asks.
    return { revoked: null, account: null };
  },

  createUser: (client, body) => client.ask({ method: 'POST', path: '/users', body }),
  setPassword: async (client, { password, ...ref }) =>
    client.ask({
      ...(await at(client, { kind: 'user', ...ref }, '/password')),
      method: 'PUT',
      body: { password },
    }),

  listAccounts: (client, { kind = 'service', ...query }) =>
    client.ask({ method: 'GET', path: PLACES[kind], query: { ...query } }),
  showAccount: async (client, ref) => {
    const answer = await client.ask<{ account: Awaited<Output<'showAccount'>> }>({
      ...(await at(client, ref)),
      method: 'GET',
    });
    return answer.account;
  },
  editAccount: async (
    client,
    { description, role, status, expiresAt, allowedNetworks, boundTo, ...ref },
  ) =>
    client.ask({
      ...(await at(client, ref)),
      method: 'PATCH',
      body: given({ description, role, status, expiresAt, allowedNetworks, boundTo }),
    }),
  activateAccount: async (client, ref) =>
    client.ask({ ...(await at(client, ref)), method: 'PATCH', body: { status: 'active' } }),
  deactivateAccount: async (client, ref) =>
    client.ask({ ...(await at(client, ref)), method: 'PATCH', body: { status: 'inactive' } }),
  deleteAccount: async (client, ref) =>
    client.ask({ ...(await at(client, ref)), method: 'DELETE' }),
  joinTeam: async (client, { team, role, ...ref }) =>
    client.ask({ ...(await inTeam(client, team, ref)), method: 'PUT', body: { role } }),
  leaveTeam: async (client, { team, ...ref }) =>
    client.ask({ ...(await inTeam(client, team, ref)), method: 'DELETE' }),
  grantRole: async (client, { application, role, ...ref }) =>
    client.ask({
      ...(await at(client, ref, `/grants/${segment(application)}`)),
      method: 'PUT',
      body: { role },
    }),
  revokeGrant: async (client, { application, ...ref }) =>
    client.ask({ ...(await at(client, ref, `/grants/${segment(application)}`)), method: 'DELETE' }),

  // Service accounts are not declared from afar.
  checkDeclaration: (client, { roles, teams }) =>
    client.ask({ method: 'POST', path: '/declaration/check', body: given({ roles, teams }) }),

  listRoles: (client) => all(client, '/roles'),
  showRole: (client, { name }) => client.ask({ method: 'GET', path: `/roles/${segment(name)}` }),
  createRole: (client, body) => client.ask({ method: 'POST', path: '/roles', body }),
  editRole: (client, { name, waitMs, version, ...body }) =>
    client.ask({
      ...waiting(waitMs, version),
      method: 'PATCH',
      path: `/roles/${segment(name)}`,
      body,
    }),
  deleteRole: (client, { name, waitMs, version }) =>
    client.ask({ ...waiting(waitMs, version), method: 'DELETE', path: `/roles/${segment(name)}` }),

  listTeams: (client) => all(client, '/teams'),
  showTeam: async (client, { name }) =>
    (await client.ask<{ team: TeamView }>({ method: 'GET', path: `/teams/${segment(name)}` })).team,
  createTeam: (client, body) => client.ask({ method: 'POST', path: '/teams', body }),
  editTeam: (client, { name, waitMs, version, ...body }) =>
    client.ask({
      ...waiting(waitMs, version),
      method: 'PATCH',
      path: `/teams/${segment(name)}`,
      body,
    }),
  deleteTeam: (client, { name, waitMs, version }) =>
    client.ask({ ...waiting(waitMs, version), method: 'DELETE', path: `/teams/${segment(name)}` }),
};

const PLACES: Readonly<Record<AccountKind, string>> = {
  service: '/service-accounts',
  user: '/users',
};

type Where = Pick<ApiRequest, 'path' | 'query' | 'headers' | 'patienceMs'>;

/** Where an account is, and how a change to it is to go about. */
async function at(client: ApiClient, ref: AccountRef, below = ''): Promise<Where> {
  const { kind, id } = await resolve(client, ref);
  return { path: `${PLACES[kind]}/${segment(id)}${below}`, ...waiting(ref.waitMs, ref.version) };
}

async function inTeam(client: ApiClient, team: string, ref: AccountRef): Promise<Where> {
  const { id } = await resolve(client, ref);
  return {
    path: `/teams/${segment(team)}/members/${segment(id)}`,
    ...waiting(ref.waitMs, ref.version),
  };
}

function waiting(
  waitMs?: number,
  version?: number,
): Pick<ApiRequest, 'query' | 'headers' | 'patienceMs'> {
  return {
    ...(waitMs === undefined ? {} : { query: { waitMs }, patienceMs: waitMs }),
    ...(version === undefined ? {} : { headers: { 'if-match': `"${version}"` } }),
  };
}

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
async function all<T>(client: ApiClient, path: string): Promise<readonly T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const page: { readonly items: readonly T[]; readonly next: string | null } = await client.ask({
      method: 'GET',
      path,
      query: { limit: 500, cursor },
    });
    items.push(...page.items);
    cursor = page.next;
  } while (cursor !== null);
  return items;
}

function segment(text: string): string {
  return encodeURIComponent(text);
}

function given(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
