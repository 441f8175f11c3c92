import type { Account, Role, Team } from '../../account/model.ts';
import type { ChangeType, EventOf } from './audit-event.ts';
import { isoTime } from './text.ts';
import { eventJson } from './write.ts';

/**
 * Events about administration: one `change` per administrative act. What a record looked like
 * before and after goes through an allow-list per kind, so a field added to a record stays out of
 * the log until somebody decides otherwise.
 */

/** Who acts, and through which door. */
export type Actor = Readonly<EventOf<'change'>['actor']>;

/** Which registry a data folder serves. */
export interface ServedId {
  readonly registry: string;
}

export type ChangedRecord = Account | Role | Team | ServedId;

export interface ChangeFacts {
  /** Unique id of the event. */
  readonly id: string;
  readonly timeMs: number;
  readonly type: ChangeType;
  /** The instance that made the change; null for the command line without one. */
  readonly instance: string | null;
  readonly actor: Actor;
  readonly target: Readonly<EventOf<'change'>['target']>;
  /** Null = did not exist. */
  readonly before: ChangedRecord | null;
  /** Null = exists no more. */
  readonly after: ChangedRecord | null;
  /** The request that asked for it, where there was one. */
  readonly requestId: string | null;
  readonly clientAddress: string | null;
}

/**
 * One line of JSON. Fields without a value are left out, except `before` and `after`, whose null
 * says "did not exist" and "exists no more".
 */
export function changeEvent(facts: ChangeFacts): string {
  const { actor, target } = facts;
  return eventJson({
    id: facts.id,
    time: isoTime(facts.timeMs),
    type: facts.type,
    phase: 'change',
    instance: facts.instance ?? undefined,
    actor: { id: actor.id, name: actor.name, kind: actor.kind, via: actor.via },
    target: { kind: target.kind, id: target.id, name: target.name },
    before: shownRecord(facts.before),
    after: shownRecord(facts.after),
    clientAddress: facts.clientAddress ?? undefined,
    requestId: facts.requestId ?? undefined,
  });
}

/**
 * Fields that a record shows. Never: `token`, `retired`, `password`. `version` is the store's to
 * give, so the event cannot know it.
 */
const SHOWN = {
  account: [
    'id',
    'kind',
    'name',
    'description',
    'status',
    'role',
    'teams',
    'grants',
    'subject',
    'createdAt',
    'updatedAt',
    'expiresAt',
    'allowedNetworks',
    'boundTo',
    'honey',
  ],
  role: ['name', 'description', 'permissions', 'createdAt', 'updatedAt'],
  team: ['name', 'description', 'applications', 'createdAt', 'updatedAt'],
  registry: ['registry'],
} as const;

/** What anybody may see of a record; null: there is none. */
export function shownRecord(record: ChangedRecord | null): Record<string, unknown> | null {
  if (typeof record !== 'object' || record === null) return null;
  const from = record as unknown as Record<string, unknown>;
  const kind = kindOf(record);
  const shown: Record<string, unknown> = {};
  for (const name of SHOWN[kind])
    if (from[name] !== undefined) shown[name] = shownValue(name, from[name]);
  // That there is a token, and since when, is what a rotation changes; the digest stays in the
  // registry.
  if (kind === 'account') {
    const { token, previous = null } = record as Account;
    shown.tokenCreatedAt = token?.createdAt ?? null;
    if (previous !== null) shown.previousValidUntil = previous.validUntil;
  }
  return shown;
}

function kindOf(record: ChangedRecord): keyof typeof SHOWN {
  if ('permissions' in record) return 'role';
  if ('applications' in record) return 'team';
  return 'registry' in record ? 'registry' : 'account';
}

/** Lists of objects are copied by name too: nothing rides along inside a grant or a membership. */
function shownValue(name: string, value: unknown): unknown {
  if (name === 'teams' && Array.isArray(value))
    return value.map((one: { team?: unknown; role?: unknown }) => ({
      team: one?.team,
      role: one?.role,
    }));
  if (name === 'grants' && Array.isArray(value))
    return value.map((one: { application?: unknown; role?: unknown }) => ({
      application: one?.application,
      role: one?.role,
    }));
  if (name === 'boundTo' && typeof value === 'object' && value !== null) {
    const { thumbprint, subject } = value as { thumbprint?: unknown; subject?: unknown };
    return thumbprint === undefined ? { subject } : { thumbprint };
  }
  return value;
}
