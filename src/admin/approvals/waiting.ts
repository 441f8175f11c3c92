import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import type { RecordKind, StoredWaiting } from '../../registry/commit.ts';
import type { RegistryStore } from '../../registry/port.ts';

/**
 * A change that waits for approval, as it is stored: what was asked for, and what would come of it.
 * No secret is in it: what makes, sets or carries one cannot wait.
 */

/** What would become of one record. */
export interface WaitingChange {
  readonly kind: RecordKind;
  /** Of an account its id, or null where it is new; of a role or team its name. */
  readonly id: string | null;
  readonly name: string;
  /** As events show it, and nothing else of it; null: there is none. */
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
}

export interface WaitingBody {
  readonly operation: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly proposedBy: {
    readonly id: string | null;
    readonly name: string;
    readonly kind: 'service' | 'user' | 'operator' | 'system';
    readonly via: string;
  };
  readonly proposedAt: string;
  readonly expiresAt: string;
  /** Protected roles that it concerns. */
  readonly roles: readonly string[];
  readonly changes: readonly WaitingChange[];
  /** Of all that it was judged on: another one, and it is another change. */
  readonly digest: string;
}

export interface Waiting extends WaitingBody {
  readonly id: string;
}

export const WAITING_LIMITS = {
  /** Changes that wait, in all and by one proposer. */
  all: 100,
  each: 20,
  /** Records that one changes: they are made in one step of the store. */
  changes: 256,
  /** Characters of one, as it is stored. */
  characters: 128 * 1024,
} as const;

const SCHEMA = 1;
const shownRecord = z.record(z.string(), z.unknown()).nullable();
const shape = z.object({
  schema: z.literal(SCHEMA),
  operation: z.string(),
  input: z.record(z.string(), z.unknown()),
  proposedBy: z.object({
    id: z.string().nullable(),
    name: z.string(),
    kind: z.enum(['service', 'user', 'operator', 'system']),
    via: z.string(),
  }),
  proposedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  roles: z.array(z.string()),
  changes: z
    .array(
      z.object({
        kind: z.enum(['account', 'role', 'team']),
        id: z.string().nullable(),
        name: z.string(),
        before: shownRecord,
        after: shownRecord,
      }),
    )
    .min(1),
  digest: z.string(),
});

/** 12 hex digits: few wait at a time, and who knows one cannot do more by it. */
export function newWaitingId(): string {
  return randomBytes(6).toString('hex');
}

export function encodeWaiting({ id, ...body }: Waiting): StoredWaiting {
  return { id, text: JSON.stringify({ schema: SCHEMA, ...body }) };
}

/**
 * What the stored texts of one proposer hold, and no others: in a string its quotes would be
 * escaped. Whoever acts with the store itself has no id.
 */
export function proposerText({ proposedBy }: Pick<Waiting, 'proposedBy'>): string {
  return `"proposedBy":{"id":${JSON.stringify(proposedBy.id)},`;
}

/** Of one that is damaged, or that a later version has stored: it can only be withdrawn. */
export const UNREADABLE = 'unreadable';

/**
 * All that wait, oldest first. One that cannot be read stands among them as such, holds up no
 * other, and does not lapse.
 */
export async function readWaiting(
  store: Pick<RegistryStore, 'waiting'>,
): Promise<readonly Waiting[]> {
  return (await store.waiting())
    .map(decodeWaiting)
    .sort((a, b) => (a.proposedAt + a.id < b.proposedAt + b.id ? -1 : 1));
}

function decodeWaiting({ id, text }: StoredWaiting): Waiting {
  const { data } = shape.safeParse(parsedJson(text));
  if (data === undefined) return { id, ...UNREAD };
  const { schema: _, ...body } = data;
  return { id, ...body };
}

const UNREAD: WaitingBody = {
  operation: UNREADABLE,
  input: {},
  proposedBy: { id: null, name: 'unknown', kind: 'system', via: 'configuration' },
  proposedAt: new Date(0).toISOString(),
  expiresAt: '9999-12-31T23:59:59.999Z',
  roles: [],
  changes: [],
  digest: '',
};

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isOver({ expiresAt }: Pick<Waiting, 'expiresAt'>, nowMs: number): boolean {
  return Date.parse(expiresAt) <= nowMs;
}
