import * as z from 'zod';
import { changed, defined, type Operation, operation } from '../operation.ts';
import * as answers from '../schemas/answers.ts';
import * as bodies from '../schemas/bodies.ts';
import * as parameters from '../schemas/parameters.ts';
import * as words from '../schemas/words.ts';
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
import { changing, WAIT } from './common.ts';

const PLACE: AccountPlace = {
  kind: 'service',
  path: '/service-accounts',
  tag: 'Service Accounts',
  noun: ['service account', 'service accounts'],
  word: 'ServiceAccount',
};
const { tag } = PLACE;
const BASE = PLACE.path;
const GRANT = z.strictObject({ id: words.accountId, application: words.name });

const list = operation({
  id: 'listServiceAccounts',
  method: 'get',
  path: BASE,
  tag,
  summary: 'List service accounts',
  description:
    'Filters narrow the list down together. `total` counts all to which they apply. Changes meanwhile move nobody to another page whose place in the order stays.',
  needs: 'sallyport:registry:read',
  params: null,
  query: z.strictObject(parameters.serviceAccountQuery),
  body: null,
  answers: { 200: { description: 'One page.', schema: answers.accountPage } },
  handle: async ({ control }, { caller, query }) => ({
    status: 200,
    body: await control.administration.listAccounts(caller.actor, listQuery('service', query)),
  }),
});

const create = operation({
  id: 'createServiceAccount',
  method: 'post',
  path: BASE,
  tag,
  summary: 'Create a service account',
  description:
    'Answers with the token, this once. A repetition with the same Idempotency-Key answers 200 with the account and without the token: whoever lost the first answer rotates.',
  needs: 'sallyport:registry:write',
  params: null,
  query: null,
  body: bodies.newServiceAccount,
  answers: {
    200: {
      description: 'It was created by the first request with this key.',
      schema: answers.createdServiceAccount,
      etag: true,
    },
    201: { description: 'Created.', schema: answers.createdServiceAccount, etag: true },
  },
  creates: async (services, call, made) => {
    const { body, ...rest } = await shown(services, call as never, { id: made, kind: 'service' });
    return { ...rest, body: { ...(body as object), token: null } };
  },
  handle: async ({ control }, { caller, body }) => {
    const issued = await control.administration.createServiceAccount(caller.actor, {
      name: body.name,
      role: body.role,
      ...defined({
        description: body.description,
        expiresAt: body.expiresAt,
        teams: body.teams,
        allowedNetworks: body.allowedNetworks,
        boundTo: body.boundTo,
      }),
    });
    const { account, token } = issued;
    return { status: 201, body: { account, token }, version: account.version, made: account.id };
  },
});

const rotate = operation({
  id: 'rotateToken',
  method: 'post',
  path: `${BASE}/{id}/token`,
  tag,
  summary: 'Generate a new token',
  description:
    'The present one is refused at once, everywhere, unless an overlap is asked for. Answers when that is in force.',
  needs: 'sallyport:registry:write',
  params: ID,
  query: WAIT,
  body: bodies.rotation,
  bodyOptional: true,
  conditional: true,
  answers: {
    200: {
      description: 'The new token; the old one is refused everywhere.',
      schema: answers.issuedToken,
      etag: true,
    },
    202: {
      description: 'The new token; not every instance has confirmed it yet.',
      schema: answers.issuedToken,
      etag: true,
    },
  },
  handle: async ({ control }, call) => {
    const answer = await control.administration.rotateToken(call.caller.actor, {
      ...refOf('service', call),
      ...defined({ overlapMs: call.body.overlapMs }),
    });
    return changed(answer, answer.account.version);
  },
});

const closeOverlap = operation({
  id: 'closeOverlap',
  method: 'delete',
  path: `${BASE}/{id}/token/overlap`,
  tag,
  summary: 'End the overlap of a rotation now',
  needs: 'sallyport:registry:write',
  params: ID,
  query: WAIT,
  body: null,
  conditional: true,
  answers: changing(answers.changedAccount),
  handle: async ({ control }, call) => {
    const answer = await control.administration.closeOverlap(
      call.caller.actor,
      refOf('service', call),
    );
    return changed(answer, answer.account.version);
  },
});

const grant = operation({
  id: 'grantRole',
  method: 'put',
  path: `${BASE}/{id}/grants/{application}`,
  tag,
  summary: 'Give a role of its own on one application',
  description:
    'It replaces whatever the team or the default role says there, and can lower as well as raise.',
  needs: 'sallyport:registry:write',
  params: GRANT,
  query: WAIT,
  body: bodies.roleChoice,
  conditional: true,
  answers: changing(answers.changedAccount),
  handle: async ({ control }, call) => {
    const input = {
      ...refOf('service', call),
      application: call.params.application,
      role: call.body.role,
    };
    const answer = await control.administration.grantRole(call.caller.actor, input);
    return changed(answer, answer.account.version);
  },
});

const revokeGrant = operation({
  id: 'revokeGrant',
  method: 'delete',
  path: `${BASE}/{id}/grants/{application}`,
  tag,
  summary: 'Take a grant back',
  needs: 'sallyport:registry:write',
  params: GRANT,
  query: WAIT,
  body: null,
  conditional: true,
  answers: changing(answers.changedAccount),
  handle: async ({ control }, call) => {
    const input = { ...refOf('service', call), application: call.params.application };
    const answer = await control.administration.revokeGrant(call.caller.actor, input);
    return changed(answer, answer.account.version);
  },
});

export const SERVICE_ACCOUNTS: readonly Operation[] = [
  list,
  create,
  getAccount(PLACE),
  patchAccount(PLACE),
  deleteAccount(PLACE),
  rotate,
  closeOverlap,
  grant,
  revokeGrant,
];
