import { declareServiceAccount } from '../declared-account.ts';
import { reportToken } from '../found-token.ts';
import * as answers from '../schemas/answers.ts';
import * as inputs from '../schemas/inputs.ts';
import * as recorded from '../schemas/record-answers.ts';
import * as service from '../service-accounts.ts';
import type { AccountView } from '../views.ts';
import { changedAccount, SERVICE, versionOf } from './accounts.ts';
import { issuing } from './answers.ts';
import { row } from './row.ts';

/** Service accounts and their tokens. */

const { tag } = SERVICE;
const write = 'sallyport:registry:write';

export const SERVICE_ACCOUNTS = {
  createServiceAccount: row({
    needs: write,
    input: inputs.NEW_SERVICE_ACCOUNT,
    run: service.createServiceAccount,
    records: ['account-created'],
    routes: [
      {
        id: 'createServiceAccount',
        method: 'post',
        path: SERVICE.path,
        tag,
        summary: 'Create a service account',
        description:
          'Answers with the token, this once. A repetition with the same Idempotency-Key answers 200 with the account and without the token: whoever lost the first answer rotates.',
        body: { name: 'NewServiceAccount' },
        answers: {
          200: {
            description: 'It was created by the first request with this key.',
            schema: answers.createdServiceAccount,
            etag: true,
          },
          201: { description: 'Created.', schema: answers.createdServiceAccount, etag: true },
        },
        tell: ({ account, token }) => ({ account, token }),
        version: versionOf,
        creates: {
          made: ({ account }) => account.id,
          shownBy: 'showAccount',
          asked: (id) => ({ id, kind: 'service' }),
          again: (account: AccountView) => ({
            body: { account, token: null },
            version: account.version,
          }),
        },
      },
    ],
  }),
  declareServiceAccount: row({
    needs: write,
    input: inputs.DECLARED_ACCOUNT,
    run: declareServiceAccount,
    canWait: true,
    isPreviewed: true,
    records: ['account-created', 'account-changed'],
  }),
  rotateToken: row({
    needs: write,
    input: inputs.ROTATION,
    run: service.rotateToken,
    isPreviewed: true,
    records: ['token-rotated'],
    routes: [
      {
        id: 'rotateToken',
        method: 'post',
        path: `${SERVICE.path}/{id}/token`,
        tag,
        summary: 'Generate a new token',
        description:
          'The present one is refused at once, everywhere, unless an overlap is asked for. Answers when that is in force.',
        fixed: { kind: 'service' },
        body: { name: 'Rotation', optional: true },
        answers: issuing(answers.issuedToken, { etag: true }),
        version: versionOf,
      },
    ],
  }),
  closeOverlap: row({
    needs: write,
    input: inputs.REF,
    run: service.closeOverlap,
    records: ['overlap-closed'],
    routes: [
      {
        id: 'closeOverlap',
        method: 'delete',
        path: `${SERVICE.path}/{id}/token/overlap`,
        tag,
        summary: 'End the overlap of a rotation now',
        fixed: { kind: 'service' },
        ...changedAccount,
      },
    ],
  }),
} as const;

/** Whoever shows a token may do to it what holding it allows: both ask for no permission. */
export const TOKENS = {
  renewToken: row({
    needs: 'its-own',
    input: inputs.RENEWAL,
    run: service.renewToken,
    records: ['token-renewed'],
    routes: [
      {
        id: 'renewToken',
        method: 'post',
        path: '/token/renew',
        tag: 'Tokens',
        summary: 'Exchange the token that is shown for a new one',
        description:
          'Any valid token may, whatever its permissions. Only the live one: not the previous one of a rotation. Without `overlapMs` the token that is shown is refused from now on, so whoever loses the answer is locked out; a minute or two of overlap spares that.',
        shown: 'token',
        body: { name: 'Rotation', optional: true },
        answers: issuing(answers.issuedToken, {}),
      },
    ],
  }),
  reportToken: row({
    needs: 'its-own',
    input: inputs.FOUND_TOKEN,
    run: reportToken,
    records: ['token-reported'],
    routes: [
      {
        id: 'reportFoundToken',
        method: 'post',
        path: '/tokens/found',
        tag: 'Tokens',
        summary: 'I found this token: take it out of use',
        description:
          'Without authentication: whoever holds a token could as well use it. The answer, and the time it takes, are the same whether or not the token is one that counts. Few such requests are taken; there are none unless `listen.admin.foundTokens` is set.',
        without: ['waitMs'],
        body: { name: 'FoundToken' },
        answers: {
          202: {
            description: 'If it was a token that counts, it counts no more.',
            schema: recorded.received,
          },
        },
        // The answer tells nothing, whoever asks.
        told: () => ({ revoked: null, account: null }),
      },
    ],
  }),
} as const;
