import type { Role, Team } from '../account/model.ts';
import { turn } from '../turns.ts';
import { decodeRole, decodeTeam } from './codec.ts';
import { type PolicySnapshot, RegistryUnavailable } from './port.ts';
import type { Position } from './position.ts';

/** Records that are decoded in one turn of the loop: a few milliseconds. */
const DECODED_AT_ONCE = 200;

interface Known<T> {
  readonly text: string;
  readonly record: T;
}

type Rows = Iterable<readonly [name: string, text: string]>;

/**
 * Reads roles and teams from their texts. Every administrative request asks for all of them, and
 * hardly ever has one changed: what was decoded before is taken as it was, and the rest is decoded
 * in slices.
 */
export class PolicyReader {
  #roles: ReadonlyMap<string, Known<Role>> = new Map();
  #teams: ReadonlyMap<string, Known<Team>> = new Map();

  /**
   * A role that cannot be read is left out: it grants nothing, which is the safe side. A team that
   * cannot be read fails the whole snapshot: without it the default role would decide over its
   * applications, and that may allow more.
   */
  async read(position: Position, roleRows: Rows, teamRows: Rows): Promise<PolicySnapshot> {
    const damagedRoles: string[] = [];
    const roles = await decoded(this.#roles, roleRows, (name, text) => {
      try {
        return decodeRole(name, text);
      } catch (fault) {
        if (!(fault instanceof RegistryUnavailable)) throw fault;
        damagedRoles.push(name);
        return null;
      }
    });
    const teams = await decoded(this.#teams, teamRows, decodeTeam);
    this.#roles = roles;
    this.#teams = teams;
    return { ...position, roles: recordsOf(roles), teams: recordsOf(teams), damagedRoles };
  }
}

async function decoded<T>(
  before: ReadonlyMap<string, Known<T>>,
  rows: Rows,
  decode: (name: string, text: string) => T | null,
): Promise<ReadonlyMap<string, Known<T>>> {
  const now = new Map<string, Known<T>>();
  let fresh = 0;
  for (const [name, text] of rows) {
    const known = before.get(name);
    if (known?.text === text) {
      now.set(name, known);
      continue;
    }
    fresh += 1;
    if (fresh % DECODED_AT_ONCE === 0) await turn();
    const record = decode(name, text);
    if (record !== null) now.set(name, { text, record });
  }
  return now;
}

function recordsOf<T>(known: ReadonlyMap<string, Known<T>>): readonly T[] {
  return [...known.values()].map(({ record }) => record);
}
