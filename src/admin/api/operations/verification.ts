import * as z from 'zod';
import { FINDING_KINDS } from '../../../audit/verify/finding.ts';
import { trustFile } from '../../../audit/verify/keys.ts';
import { component } from '../../schemas/words.ts';
import type { Operation } from '../operation.ts';
import { background } from './background.ts';

/** The proof that the record of calls is whole, made by the gate that is asked. */

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

const result = component(
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

export const VERIFICATION: readonly Operation[] = background({
  path: '/audit/verification',
  needs: 'sallyport:activity:read',
  state: ['VerificationState', result],
  show: {
    id: 'showAuditVerification',
    summary: 'How far the verification of the record has come, and what the last one found',
  },
  begin: {
    id: 'verifyAudit',
    summary: 'Verify the whole record of calls',
    description:
      'Reads all that the store has, in the background, between calls; changes nothing. One at a time: 409 `conflict` while another one is under way. `GET` says when it has ended. With `trust` (as `audit verify --write-trust` writes it) keys and heads are compared that were kept apart.',
    bodyName: 'VerifyAudit',
    body: { trust: trustFile.optional() },
    bodyBytes: 4 * 1024 * 1024,
    inputOf: (body) => ({ trust: body.trust ?? null }),
  },
  run: ({ verification }) => verification,
});
