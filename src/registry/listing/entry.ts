import type { Account } from '../../account/model.ts';
import { tokenId } from '../../account/token.ts';

/**
 * What is kept of an account for the lists. Stores keep it without understanding it, so what a list
 * holds is said here and nowhere else.
 */
export interface ListingEntry {
  /**
   * JSON: id, key of the name, handle of the live token (empty: none), kind (`s`, `u`, or `d` for a
   * record that cannot be read), default role, then marks: `i` inactive, `h` a bait, `r:ROLE`,
   * `t:TEAM`.
   */
  readonly row: string;
  /** Milliseconds since the epoch, 0 = none: created, updated, expires, token issued. */
  readonly times: readonly [created: number, updated: number, expires: number, token: number];
  /** In lower case, on one line. */
  readonly description: string;
}

/** The form of what is kept. Whoever finds another one makes the lists anew. */
export const LISTING_VERSION = '1';

/** In the order in which stores keep them. `used`: the last use of the live token. */
export const TIMES = ['created', 'updated', 'expires', 'token', 'used'] as const;
export type Time = (typeof TIMES)[number];

/** 6 bytes. */
const TIME_MAX = 2 ** 48 - 1;
/** A store tells by them where a text begins and ends. */
const CONTROLS = /\p{Cc}/gu;

export function entryOf(account: Account): ListingEntry {
  const { id, kind, name, status, role, teams, token, description } = account;
  const marks = [
    ...(status === 'inactive' ? ['i'] : []),
    ...(account.honey === true ? ['h'] : []),
    ...rolesAnywhere(account).map((one) => `r:${one}`),
    ...new Set(teams.map(({ team }) => `t:${team}`)),
  ];
  return {
    row: JSON.stringify([
      id,
      nameKey(name),
      token === null ? '' : tokenId(token.digest),
      kind === 'service' ? 's' : 'u',
      role,
      ...marks,
    ]),
    times: [
      timeOf(account.createdAt),
      timeOf(account.updatedAt),
      timeOf(account.expiresAt),
      timeOf(token?.createdAt ?? null),
    ],
    description: folded(description),
  };
}

/** An account whose record cannot be read is in a list of its own. */
export function damagedEntry(id: string): ListingEntry {
  return {
    row: JSON.stringify([id, `${id} `, '', 'd', '']),
    times: [0, 0, 0, 0],
    description: '',
  };
}

/** By the name without regard to letter case, then by the name. Orders as its bytes do. */
export function nameKey(name: string): string {
  const lower = name.toLowerCase();
  return `${lower} ${lower === name ? '' : name}`;
}

/** As texts are searched: without regard to letter case, on one line. */
export function folded(text: string): string {
  return text.normalize('NFC').toLowerCase().replaceAll(CONTROLS, ' ');
}

/** By default, in a team or by a grant; each once. */
export function rolesAnywhere({
  role,
  teams,
  grants,
}: Pick<Account, 'role' | 'teams' | 'grants'>): readonly string[] {
  return [...new Set([role, ...teams.map((one) => one.role), ...grants.map((one) => one.role)])];
}

export function timeOf(moment: string | null): number {
  return moment === null ? 0 : Math.min(TIME_MAX, Math.max(1, Date.parse(moment)));
}

export type ListingRow = readonly [
  id: string,
  nameKey: string,
  token: string,
  kind: 's' | 'u' | 'd',
  role: string,
  ...marks: string[],
];

/** The lists that an account is in, with its key in each, and all its marks. */
export function placesOf(row: ListingRow | null): {
  readonly lists: ReadonlyMap<string, string>;
  readonly marks: ReadonlySet<string>;
} {
  if (row === null) return { lists: new Map(), marks: new Set() };
  const [, name, , kind, role, ...marks] = row;
  const lists = new Map([
    [kind, name],
    [`${kind} =`, `${role} ${name}`],
    ...marks.filter((mark) => mark !== 'i').map((mark) => [`${kind} ${mark}`, name] as const),
  ] as [string, string][]);
  return { lists, marks: new Set([kind, ...marks]) };
}
