import * as z from 'zod';
import { FINDING_KINDS } from '../../audit/verify/finding.ts';
import { trustFile } from '../../audit/verify/keys.ts';
import { runState } from './run-state.ts';
import { component } from './words.ts';

/** Work on the whole record: what begins it, and what comes out. */

const count = z.int().min(0);

const finding = component(
  'Finding',
  z.object({
    kind: z.enum(FINDING_KINDS),
    instance: z.string().nullable(),
    firstSeq: z.int().nullable().describe('Numbers concerned, both included; null: none.'),
    lastSeq: z.int().nullable(),
    time: z.string().nullable().describe('Of the event concerned, or of the last one before.'),
    message: z.string().describe('One sentence for people.'),
  }),
  'One hole (`missing`, `truncated`, `lost`, `anchor-missing`), or one edit (all others).',
);

const verification = component(
  'AuditVerification',
  z.looseObject({
    events: count.describe('How many were read.'),
    instances: count,
    gaps: count,
    edits: count,
    findings: z.array(finding).describe('The first 1,000 of them.'),
    trusted: z.boolean().describe('It was compared with a trust file.'),
    registry: z
      .looseObject({ events: count, first: count.nullable(), newest: count, unnumbered: count })
      .nullable()
      .describe('Administrative changes by their numbers; nothing signs their text.'),
    trust: trustFile.describe('Keys and newest heads, to be kept apart from the store.'),
  }),
  'What the record proves of itself. The other counts say of how many events it proves less.',
);

const reindexed = z.object({
  needed: z.boolean().describe('False: the store reads the record itself, and has no such logs.'),
  accounts: count.describe('Whose log was rebuilt.'),
  events: count.describe('Events of theirs that the record holds.'),
});

export const verificationState = runState('VerificationState', verification);
export const reindexState = runState('ReindexState', reindexed);

/** The trust file is read by who compares with it, and says what is wrong with it. */
export const VERIFY = { trust: z.unknown().optional(), part: z.boolean().optional() } as const;
/** As it is said over HTTP. */
export const SAID_VERIFY = { trust: trustFile.optional() } as const;

/** Whose log; null: everybody's. Read by whoever looks the account up. */
export const REINDEX = { account: z.unknown() } as const;
/** As it is said over HTTP: everybody's, where it is left out. */
export const SAID_REINDEX = {
  account: z
    .union([
      z.strictObject({ name: z.string() }),
      z.strictObject({ id: z.string().describe('Also of an account that was deleted.') }),
    ])
    .optional(),
} as const;
