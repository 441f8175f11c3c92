import type { AccountKind } from '../../account/model.ts';
import * as accounts from '../accounts.ts';
import { changeAccounts } from '../bulk.ts';
import { listAccounts } from '../list-accounts.ts';
import * as answers from '../schemas/answers.ts';
import * as inputs from '../schemas/inputs.ts';
import type { AccountView } from '../views.ts';
import { changing } from './answers.ts';
import { type Route, row } from './row.ts';

/** What service accounts and users have in common. */

interface Place {
  readonly kind: AccountKind;
  readonly path: string;
  readonly tag: string;
  readonly nouns: string;
  /** `ServiceAccount`: for the names of operations. */
  readonly word: string;
}

export const SERVICE: Place = {
  kind: 'service',
  path: '/service-accounts',
  tag: 'Service Accounts',
  nouns: 'service accounts',
  word: 'ServiceAccount',
};
export const USER: Place = {
  kind: 'user',
  path: '/users',
  tag: 'Users',
  nouns: 'users',
  word: 'User',
};

/** The same for machines and for people. */
function both<Output>(
  route: (place: Place) => Omit<Route<Output>, 'tag' | 'fixed'>,
): readonly Route<Output>[] {
  return [SERVICE, USER].map((place) => ({
    ...route(place),
    tag: place.tag,
    fixed: { kind: place.kind },
  }));
}

export const versionOf = ({ account }: { readonly account: AccountView }) => account.version;
export const changedAccount = { answers: changing(answers.changedAccount), version: versionOf };
const write = 'sallyport:registry:write';
const CHANGED = ['account-changed'] as const;

export const ACCOUNTS = {
  listAccounts: row({
    needs: 'sallyport:registry:read',
    input: inputs.ACCOUNT_LIST,
    run: listAccounts,
    routes: [
      {
        id: 'listServiceAccounts',
        method: 'get',
        path: SERVICE.path,
        tag: SERVICE.tag,
        summary: 'List service accounts',
        description:
          'Filters narrow the list down together. `total` counts all to which they apply. Changes meanwhile move nobody to another page whose place in the order stays. A table (`text/csv`) says when tokens were last let in with `lastUsed=true` alone, and there is none where a record cannot be read.',
        fixed: { kind: 'service' },
        answers: { 200: { description: 'One page.', schema: answers.accountPage } },
        csv: 'accounts',
      },
      {
        id: 'listUsers',
        method: 'get',
        path: USER.path,
        tag: USER.tag,
        summary: 'List users',
        fixed: { kind: 'user' },
        // People hold no token.
        without: ['neverUsed', 'unusedForDays', 'tokenOlderThanDays', 'lastUsed'],
        answers: { 200: { description: 'One page.', schema: answers.accountPage } },
        csv: 'accounts',
      },
    ],
  }),
  showAccount: row({
    needs: 'sallyport:registry:read',
    input: inputs.REF,
    run: accounts.showAccount,
    routes: both((place) => ({
      id: `get${place.word}`,
      method: 'get',
      path: `${place.path}/{id}`,
      summary: `Show one of the ${place.nouns}`,
      answers: { 200: { description: 'The account.', schema: answers.oneAccount, etag: true } },
      tell: (account: AccountView) => ({ account }),
      told: ({ account }: { account: AccountView }) => account,
      version: (account: AccountView) => account.version,
    })),
  }),
  editAccount: row({
    needs: write,
    input: { ...inputs.REF, ...inputs.ACCOUNT_EDIT },
    run: accounts.editAccount,
    canWait: true,
    isPreviewed: true,
    isReplayed: true,
    records: ['account-changed', 'account-activated', 'account-deactivated'],
    routes: both((place) => ({
      id: `edit${place.word}`,
      method: 'patch',
      path: `${place.path}/{id}`,
      summary: `Change one of the ${place.nouns}`,
      description: 'What is named is changed, the rest stays. `status` activates and deactivates.',
      body: { name: 'AccountEdit', description: 'What is named is changed, the rest stays.' },
      ...changedAccount,
    })),
  }),
  activateAccount: row({
    needs: write,
    input: inputs.REF,
    run: accounts.activateAccount,
    canWait: true,
    isPreviewed: true,
    isReplayed: true,
    records: ['account-activated'],
    as: { operation: 'editAccount', with: { status: 'active' } },
  }),
  deactivateAccount: row({
    needs: write,
    input: inputs.REF,
    run: accounts.deactivateAccount,
    canWait: true,
    isPreviewed: true,
    isReplayed: true,
    records: ['account-deactivated'],
    as: { operation: 'editAccount', with: { status: 'inactive' } },
  }),
  deleteAccount: row({
    needs: write,
    input: inputs.REF,
    run: accounts.deleteAccount,
    canWait: true,
    isPreviewed: true,
    isReplayed: true,
    records: ['account-deleted'],
    routes: both((place) => ({
      id: `delete${place.word}`,
      method: 'delete',
      path: `${place.path}/{id}`,
      summary: `Delete one of the ${place.nouns}`,
      description: 'For good. The name is free afterwards; the id is never used again.',
      answers: {
        200: {
          description: 'Done, and in force everywhere. The account as it was.',
          schema: answers.changedAccount,
        },
        202: {
          description: 'Done; not every instance has confirmed it yet.',
          schema: answers.changedAccount,
        },
      },
    })),
  }),
  changeAccounts: row({
    needs: write,
    input: inputs.BULK,
    run: changeAccounts,
    canWait: true,
    isPreviewed: true,
    isReplayed: true,
    records: ['account-changed', 'account-activated', 'account-deactivated'],
    routes: both((place) => ({
      id: `change${place.word}s`,
      method: 'post',
      path: `${place.path}/bulk`,
      summary: `Change many ${place.nouns}, or say what each would lose by it`,
      description:
        'Each is judged as if it were changed alone. Who is refused stays as it is and is named with the reason; all others are changed in one step, or none of them.',
      body: { name: 'BulkChangeInput' },
      answers: {
        200: {
          description: 'What became of each, in force everywhere.',
          schema: answers.bulkChange,
        },
        202: {
          description: 'Done; not every instance has confirmed it yet.',
          schema: answers.bulkChange,
        },
      },
    })),
  }),
  joinTeam: row({
    needs: write,
    input: inputs.MEMBERSHIP,
    run: accounts.joinTeam,
    canWait: true,
    isPreviewed: true,
    isReplayed: true,
    records: CHANGED,
    routes: [
      {
        id: 'putTeamMember',
        method: 'put',
        path: '/teams/{name}/members/{id}',
        tag: 'Teams',
        summary: 'Put an account into a team, or change its role there',
        description: '`If-Match` is about the account.',
        params: { name: 'team' },
        body: { name: 'RoleChoice' },
        ...changedAccount,
      },
    ],
  }),
  leaveTeam: row({
    needs: write,
    input: inputs.LEFT_TEAM,
    run: accounts.leaveTeam,
    canWait: true,
    isPreviewed: true,
    isReplayed: true,
    records: CHANGED,
    routes: [
      {
        id: 'removeTeamMember',
        method: 'delete',
        path: '/teams/{name}/members/{id}',
        tag: 'Teams',
        summary: 'Take an account out of a team',
        description: '`If-Match` is about the account.',
        params: { name: 'team' },
        ...changedAccount,
      },
    ],
  }),
  grantRole: row({
    needs: write,
    input: inputs.GRANT,
    run: accounts.grantRole,
    canWait: true,
    isPreviewed: true,
    isReplayed: true,
    records: CHANGED,
    routes: [
      {
        id: 'grantRole',
        method: 'put',
        path: `${SERVICE.path}/{id}/grants/{application}`,
        tag: SERVICE.tag,
        summary: 'Give a role of its own on one application',
        description:
          'It replaces whatever the team or the default role says there, and can lower as well as raise.',
        fixed: { kind: 'service' },
        body: { name: 'RoleChoice' },
        ...changedAccount,
      },
    ],
  }),
  revokeGrant: row({
    needs: write,
    input: inputs.LOST_GRANT,
    run: accounts.revokeGrant,
    canWait: true,
    isPreviewed: true,
    isReplayed: true,
    records: CHANGED,
    routes: [
      {
        id: 'revokeGrant',
        method: 'delete',
        path: `${SERVICE.path}/{id}/grants/{application}`,
        tag: SERVICE.tag,
        summary: 'Take a grant back',
        fixed: { kind: 'service' },
        ...changedAccount,
      },
    ],
  }),
} as const;
