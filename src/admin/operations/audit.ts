import type { AccountRef } from '../accounts.ts';
import type { AdminActor } from '../actor.ts';
import type { AuditReindexInput, VerificationInput } from '../audit-runs.ts';
import { type AdminContext, type Nothing, runsOf } from '../context.ts';
import * as audit from '../schemas/audit.ts';
import { type Route, row } from './row.ts';

/**
 * Work on the whole record, in the background of the gate that is asked. Whoever waits for its end
 * and is told how far it has come is answered bit by bit, beside this table (`Control`).
 */

const tag = 'Activity';
const VERIFICATION = { path: '/audit/verification', tag } as const;
const REINDEXING = { path: '/audit/reindex', tag } as const;
/** A trust file fits. */
const TRUST_BYTES = 4 * 1024 * 1024;

const known = (schema: typeof audit.verificationState | typeof audit.reindexState) => ({
  200: { description: 'What this process knows.', schema },
});
const begun = (schema: typeof audit.verificationState | typeof audit.reindexState) => ({
  202: { description: 'It has begun.', schema },
});

const trust: NonNullable<Route['saying']> = {
  shape: audit.SAID_VERIFY,
  taken: (said: object) => said,
  said: ({ trust }: VerificationInput) => (trust == null ? {} : { trust }),
};
const whose: NonNullable<Route['saying']> = {
  shape: audit.SAID_REINDEX,
  taken: ({ account }: { readonly account?: AccountRef }) => ({ account: account ?? null }),
  said: ({ account }: { readonly account: AccountRef | null }) =>
    account === null ? {} : { account },
};

export const AUDIT = {
  verificationState: row({
    needs: 'sallyport:activity:read',
    input: {},
    run: async (context: AdminContext, actor: AdminActor, _: Nothing) =>
      runsOf(context).verification.state(actor),
    routes: [
      {
        ...VERIFICATION,
        id: 'showAuditVerification',
        method: 'get',
        summary: 'How far the verification of the record has come, and what the last one found',
        answers: known(audit.verificationState),
      },
    ],
  }),
  startVerification: row({
    needs: 'sallyport:activity:read',
    input: audit.VERIFY,
    run: async (context: AdminContext, actor: AdminActor, input: VerificationInput) =>
      runsOf(context).verification.start(actor, input),
    routes: [
      {
        ...VERIFICATION,
        id: 'verifyAudit',
        method: 'post',
        summary: 'Verify the whole record of calls',
        description:
          'Reads all that the store has, in the background, between calls; changes nothing. One at a time: 409 `conflict` while another one is under way. `GET` says when it has ended. With `trust` (as `audit verify --write-trust` writes it) keys and heads are compared that were kept apart.',
        saying: trust,
        body: { name: 'VerifyAudit', optional: true, bytes: TRUST_BYTES },
        answers: begun(audit.verificationState),
      },
    ],
  }),
  reindexState: row({
    needs: 'sallyport:registry:write',
    input: {},
    run: async (context: AdminContext, actor: AdminActor, _: Nothing) =>
      runsOf(context).reindexing.state(actor),
    routes: [
      {
        ...REINDEXING,
        id: 'showAuditReindex',
        method: 'get',
        summary: 'How far the rebuild of activity logs has come, and what the last one did',
        answers: known(audit.reindexState),
      },
    ],
  }),
  startReindex: row({
    needs: 'sallyport:registry:write',
    input: audit.REINDEX,
    run: async (context: AdminContext, actor: AdminActor, input: AuditReindexInput) =>
      runsOf(context).reindexing.start(actor, input),
    routes: [
      {
        ...REINDEXING,
        id: 'reindexAudit',
        method: 'post',
        summary: 'Rebuild activity logs from the record of calls',
        description:
          'In the background, while gates go on recording: each log is built beside the one in use and takes its place in one step. One at a time: 409 `conflict` while another one is under way. `GET` says when it has ended.',
        saying: whose,
        body: { name: 'ReindexAudit', optional: true },
        answers: begun(audit.reindexState),
      },
    ],
  }),
  /** The same, answered at its end. */
  reindexAudit: row({
    needs: 'sallyport:registry:write',
    input: audit.REINDEX,
    run: async (context: AdminContext, actor: AdminActor, input: AuditReindexInput) =>
      runsOf(context).reindexing.run(actor, input),
    isLong: true,
  }),
} as const;
