import * as z from 'zod';
import { changed, defined, type Operation, operation } from '../operation.ts';
import * as answers from '../schemas/answers.ts';
import * as bodies from '../schemas/bodies.ts';
import * as parameters from '../schemas/parameters.ts';
import {
  type AccountPlace,
  deleteAccount,
  getAccount,
  ID,
  listQuery,
  patchAccount,
  refOf,
  shown,
} from './accounts.ts';
import { changing, creating, WAIT } from './common.ts';

const PLACE: AccountPlace = {
  kind: 'user',
  path: '/users',
  tag: 'Users',
  noun: ['user', 'users'],
  word: 'User',
};
const { tag } = PLACE;

const list = operation({
  id: 'listUsers',
  method: 'get',
  path: PLACE.path,
  tag,
  summary: 'List users',
  needs: 'sallyport:registry:read',
  params: null,
  query: z.strictObject(parameters.accountQuery),
  body: null,
  answers: { 200: { description: 'One page.', schema: answers.accountPage } },
  handle: async ({ control }, { caller, query }) => ({
    status: 200,
    body: await control.administration.listAccounts(caller.actor, listQuery('user', query)),
  }),
});

const create = operation({
  id: 'createUser',
  method: 'post',
  path: PLACE.path,
  tag,
  summary: 'Create a user',
  description: 'Users sign in to the console; the proxied APIs refuse them.',
  needs: 'sallyport:registry:write',
  params: null,
  query: null,
  body: bodies.newUser,
  answers: creating(answers.oneAccount),
  creates: (services, call, made) => shown(services, call as never, { id: made, kind: 'user' }),
  handle: async ({ control }, { caller, body }) => {
    const { name, role, password } = body;
    const more = defined({ description: body.description, expiresAt: body.expiresAt });
    const { account } = await control.administration.createUser(caller.actor, {
      name,
      role,
      password,
      ...more,
    });
    return { status: 201, body: { account }, version: account.version, made: account.id };
  },
});

const setPassword = operation({
  id: 'setPassword',
  method: 'put',
  path: `${PLACE.path}/{id}/password`,
  tag,
  summary: 'Set a new password',
  needs: 'sallyport:registry:write',
  params: ID,
  query: WAIT,
  body: bodies.newPassword,
  conditional: true,
  answers: changing(answers.changedAccount),
  handle: async ({ control }, call) => {
    const input = { ...refOf('user', call), password: call.body.password };
    const answer = await control.administration.setPassword(call.caller.actor, input);
    return changed(answer, answer.account.version);
  },
});

export const USERS: readonly Operation[] = [
  list,
  create,
  getAccount(PLACE),
  patchAccount(PLACE),
  deleteAccount(PLACE),
  setPassword,
];
