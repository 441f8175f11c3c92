import { admitPerson } from '../identity.ts';
import * as answers from '../schemas/answers.ts';
import * as inputs from '../schemas/inputs.ts';
import * as users from '../users.ts';
import type { AccountView } from '../views.ts';
import { changedAccount, USER, versionOf } from './accounts.ts';
import { creating } from './answers.ts';
import { row } from './row.ts';

const write = 'sallyport:registry:write';

export const USERS = {
  createUser: row({
    needs: write,
    input: inputs.NEW_USER,
    run: users.createUser,
    records: ['account-created'],
    routes: [
      {
        id: 'createUser',
        method: 'post',
        path: USER.path,
        tag: USER.tag,
        summary: 'Create a user',
        description: 'Users sign in to the console; the proxied APIs refuse them.',
        body: { name: 'NewUser' },
        answers: creating(answers.oneAccount),
        tell: ({ account }) => ({ account }),
        version: versionOf,
        creates: {
          made: ({ account }) => account.id,
          shownBy: 'showAccount',
          asked: (id) => ({ id, kind: 'user' }),
          again: (account: AccountView) => ({ body: { account }, version: account.version }),
        },
      },
    ],
  }),
  setPassword: row({
    needs: write,
    input: inputs.NEW_PASSWORD,
    run: users.setPassword,
    records: ['password-set'],
    routes: [
      {
        id: 'setPassword',
        method: 'put',
        path: `${USER.path}/{id}/password`,
        tag: USER.tag,
        summary: 'Set a new password',
        fixed: { kind: 'user' },
        body: { name: 'NewPassword' },
        ...changedAccount,
      },
    ],
  }),
  changeOwnPassword: row({
    needs: 'its-own',
    input: inputs.OWN_PASSWORD,
    run: users.changeOwnPassword,
    records: ['password-set'],
  }),
  signOutEverywhere: row({
    needs: 'its-own',
    input: {},
    run: users.signOutEverywhere,
    records: ['sessions-ended'],
  }),
  admitPerson: row({
    needs: 'store-owner',
    input: inputs.VOUCHED_PERSON,
    run: admitPerson,
    records: ['account-created', 'account-changed'],
  }),
} as const;
