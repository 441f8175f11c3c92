import { IdentityMalformed } from './faults.ts';

/** Who calls, as a gate tells it in fields. Believe it where nobody else can reach the service. */
export interface Identity {
  readonly id: string;
  readonly name: string;
  /** The effective role; null where the call is about several applications and roles differ. */
  readonly role: string | null;
  readonly teams: readonly string[];
  /** On which applications the permission holds; null where the route does not ask for `some`. */
  readonly applications: readonly string[] | null;
  /** Under which the gate has the call on record; null where there is none. */
  readonly requestId: string | null;
}

/** `request.headers` of `node:http`, or `Headers` of `fetch`. */
export type HeaderSource =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>;

const ID = /^[0-9A-Za-z]{1,64}$/;
/** Accounts, roles, teams and applications. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * Null: nobody was authenticated (a public route). Throws `IdentityMalformed` for what no gate
 * sets: a field that came twice, or a value that is no name.
 */
export function readIdentity(headers: HeaderSource): Identity | null {
  const field = readerOf(headers);
  const id = field('x-account-id') ?? '';
  const name = field('x-account-name') ?? '';
  const role = field('x-account-role') ?? '';
  const teams = field('x-account-teams') ?? '';
  const applications = field('x-account-applications');
  const requestId = field('x-request-id');
  // As node:http joins what came twice.
  if (requestId?.includes(',')) throw new IdentityMalformed('X-Request-Id came more than once');
  if (id === '') {
    if (name !== '' || role !== '' || teams !== '' || (applications ?? '') !== '')
      throw new IdentityMalformed('there are fields of an account, and no X-Account-Id');
    return null;
  }
  if (!ID.test(id)) throw new IdentityMalformed('X-Account-Id is no id of an account');
  return {
    id,
    name: nameOf(name, 'X-Account-Name'),
    role: role === '' ? null : nameOf(role, 'X-Account-Role'),
    teams: namesOf(teams, 'X-Account-Teams'),
    applications: applications === null ? null : namesOf(applications, 'X-Account-Applications'),
    requestId,
  };
}

function readerOf(headers: HeaderSource): (name: string) => string | null {
  if (typeof headers.get === 'function') {
    const source = headers as { get(name: string): string | null };
    return (name) => source.get(name);
  }
  const entries = Object.entries(headers as Readonly<Record<string, unknown>>);
  return (name) => {
    const found = entries.filter(([key, value]) => key.toLowerCase() === name && value != null);
    const values = found.flatMap(([, value]) => value as string | readonly string[]);
    if (values.length > 1) throw new IdentityMalformed(`${name} came more than once`);
    return values[0] ?? null;
  };
}

function nameOf(value: string, field: string): string {
  if (NAME.test(value)) return value;
  throw new IdentityMalformed(`${field} is no name`);
}

function namesOf(value: string, field: string): readonly string[] {
  return value === '' ? [] : value.split(',').map((one) => nameOf(one, field));
}
