import { isName, type TeamMembership } from '../account/model.ts';
import { permissionFault } from '../account/permission.ts';
import { withoutTokens } from '../audit/event/text.ts';
import { type Fault, invalid } from './error.ts';

/**
 * Limits on what one record may hold. They bound every record, every feed entry and every answer
 * built from them.
 */
export const FIELD_LIMITS = {
  descriptionCharacters: 500,
  permissionsPerRole: 200,
  applicationsPerTeam: 500,
  teamsPerAccount: 50,
  grantsPerAccount: 200,
  roles: 500,
  teams: 2000,
} as const;

/**
 * C0, DEL, C1, line and paragraph separators, and the controls that reorder text: none of them has
 * a place in a name, a table or a log.
 */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/u;

/**
 * Reads the fields of one input and gathers everything that is wrong with it, so that a person
 * mends it in one go. Values are `unknown` on purpose: input also comes from a socket, and types
 * are gone by then.
 */
export class Fields {
  readonly #input: Readonly<Record<string, unknown>>;
  readonly #faults: Fault[] = [];

  constructor(input: unknown, known: readonly string[]) {
    const isObject = typeof input === 'object' && input !== null && !Array.isArray(input);
    this.#input = isObject ? (input as Record<string, unknown>) : {};
    if (!isObject) this.fault('input', 'must be an object');
    for (const key of Object.keys(this.#input)) {
      if (!known.includes(key)) this.fault(printable(key), 'is not a known field');
    }
  }

  has(field: string): boolean {
    return this.#value(field) !== undefined;
  }

  fault(field: string, message: string): void {
    this.#faults.push({ field, message });
  }

  /** Throws one `invalid` error that names every fault found so far. */
  check(): void {
    if (this.#faults.length > 0) throw invalid(this.#faults);
  }

  /** A name as accounts, roles, teams and applications have it. */
  name(field: string): string {
    return this.#nameFrom(field, this.#value(field));
  }

  /** Distinct names in the order given. */
  names(field: string, atMost: number): readonly string[] {
    const list = this.list(field, atMost);
    const names = list.map((item, index) => this.#nameFrom(`${field}[${index}]`, item));
    return [...new Set(names)];
  }

  /** `[{ team, role }]`, each team once. */
  memberships(field: string, atMost: number): readonly TeamMembership[] {
    const memberships = this.list(field, atMost).map((item, index) => {
      const { team, role } = (typeof item === 'object' && item !== null ? item : {}) as Record<
        string,
        unknown
      >;
      return {
        team: this.#nameFrom(`${field}[${index}].team`, team),
        role: this.#nameFrom(`${field}[${index}].role`, role),
      };
    });
    const teams = memberships.map(({ team }) => team);
    const twice = teams.find((team, index) => team !== '' && teams.indexOf(team) !== index);
    if (twice !== undefined) this.fault(field, `names the team ${twice} more than once`);
    return memberships;
  }

  description(field = 'description'): string {
    const value = this.#value(field) ?? '';
    if (typeof value !== 'string') {
      this.fault(field, 'must be text');
      return '';
    }
    const text = value.normalize('NFC').trim();
    if ([...text].length > FIELD_LIMITS.descriptionCharacters) {
      this.fault(
        field,
        `is ${[...text].length} characters long; ${FIELD_LIMITS.descriptionCharacters} are allowed`,
      );
    }
    if (UNPRINTABLE.test(text))
      this.fault(field, 'holds a control character; it must be one line of printable text');
    if (withoutTokens(text) !== text)
      this.fault(field, 'holds a token; tokens are secrets and do not belong into descriptions');
    if (!text.isWellFormed()) this.fault(field, 'is not valid Unicode text');
    return text;
  }

  permissions(field = 'permissions'): readonly string[] {
    const list = this.list(field, FIELD_LIMITS.permissionsPerRole);
    const permissions = list.map((item, index) => {
      const fault = typeof item === 'string' ? permissionFault(item) : 'must be text';
      if (fault !== null) this.fault(`${field}[${index}]`, `${shown(item)} ${fault}`);
      return String(item);
    });
    return [...new Set(permissions)];
  }

  /**
   * An expiry: null (never), or a moment after `nowMs` as ISO 8601 with a time zone; answered in
   * UTC.
   */
  expiry(field: string, nowMs: number): string | null {
    if ((this.#value(field) ?? null) === null) return null;
    const moment = this.moment(field);
    if (moment !== null && Date.parse(moment) <= nowMs)
      this.fault(field, `${shown(this.#value(field))} is not in the future`);
    return moment;
  }

  /** A moment as ISO 8601 with a time zone; answered in UTC. */
  moment(field: string): string | null {
    const value = this.#value(field);
    const ms = typeof value === 'string' && ISO_MOMENT.test(value) ? Date.parse(value) : Number.NaN;
    if (Number.isNaN(ms)) {
      this.fault(field, `${shown(value)} is not a moment; write it like 2030-01-31T12:00:00Z`);
      return null;
    }
    return new Date(ms).toISOString();
  }

  /** One of a closed set, or the fallback when absent. */
  oneOf<T extends string>(field: string, choices: readonly T[], fallback: T): T {
    const value = this.#value(field) ?? fallback;
    const found = choices.find((choice) => choice === value);
    if (found === undefined) this.fault(field, `must be one of ${choices.join(', ')}`);
    return found ?? fallback;
  }

  /** Text that only has to be text: cursors, passwords. Never shown back. */
  text(field: string, atMost: number): string {
    const value = this.#value(field);
    if (typeof value === 'string' && value.length > 0 && value.length <= atMost) return value;
    this.fault(field, `must be text of 1 to ${atMost} characters`);
    return '';
  }

  /** The version of a record that the actor has seen; null when it was not said. */
  version(): number | null {
    return this.has('version') ? this.integer('version', 0, 0, Number.MAX_SAFE_INTEGER) : null;
  }

  /** False when absent. */
  flag(field: string): boolean {
    const value = this.#value(field) ?? false;
    if (typeof value === 'boolean') return value;
    this.fault(field, 'must be true or false');
    return false;
  }

  /** A whole number, or the fallback when absent. */
  integer(field: string, fallback: number, least: number, most: number): number {
    const value = this.#value(field) ?? fallback;
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most)
      return value;
    this.fault(field, `must be a whole number from ${least} to ${most}`);
    return fallback;
  }

  /** Own fields only: no input names itself by way of `constructor`. */
  #value(field: string): unknown {
    return Object.hasOwn(this.#input, field) ? this.#input[field] : undefined;
  }

  #nameFrom(field: string, value: unknown): string {
    if (typeof value === 'string' && isName(value)) return value;
    const missing = value === undefined || value === null || value === '';
    this.fault(
      field,
      missing
        ? 'is missing'
        : `${shown(value)} is not a name; names are 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or a digit`,
    );
    return '';
  }

  /** An object, whatever is in it; null when it is null. */
  object(field: string): Readonly<Record<string, unknown>> | null {
    const value = this.#value(field) ?? null;
    if (value === null) return null;
    if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
    this.fault(field, 'must be an object');
    return null;
  }

  /** Of whatever; empty when it is null or absent. */
  list(field: string, atMost: number): readonly unknown[] {
    const value = this.#value(field) ?? [];
    if (!Array.isArray(value)) {
      this.fault(field, 'must be a list');
      return [];
    }
    if (value.length > atMost)
      this.fault(field, `has ${value.length} entries; ${atMost} are allowed`);
    return value.slice(0, atMost);
  }
}

/** RFC 3339 date-time; the zone may not be left out, because "midnight" is not a moment. */
const ISO_MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/;

/** A foreign value, made fit for one line of a message: quoted, cut, without control characters. */
function shown(value: unknown): string {
  return JSON.stringify(
    printable(typeof value === 'string' ? value : String(JSON.stringify(value))),
  );
}

/** Text cut to 64 characters, control characters replaced. */
export function printable(text: string): string {
  const clean = text.replaceAll(new RegExp(UNPRINTABLE, 'gu'), '\ufffd');
  return clean.length > 64 ? `${clean.slice(0, 64)}…` : clean;
}
