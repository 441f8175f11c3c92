import * as z from 'zod';
import { changed, defined, type Operation, operation } from '../operation.ts';
import { pageOf } from '../pages.ts';
import * as answers from '../schemas/answers.ts';
import * as bodies from '../schemas/bodies.ts';
import * as parameters from '../schemas/parameters.ts';
import { changing, creating, howOf, NAMED, WAIT } from './common.ts';

const tag = 'Roles';
const list = operation({
  id: 'listRoles',
  method: 'get',
  path: '/roles',
  tag,
  summary: 'List roles',
  needs: 'sallyport:registry:read',
  params: null,
  query: z.strictObject(parameters.pageQuery),
  body: null,
  answers: { 200: { description: 'One page.', schema: answers.rolePage } },
  handle: async ({ control }, { caller, query }) => {
    const roles = await control.administration.listRoles(caller.actor, {});
    const sorted = [...roles].sort((a, b) => (a.name < b.name ? -1 : 1));
    return { status: 200, body: pageOf(sorted, ({ name }) => name, query) };
  },
});

const create = operation({
  id: 'createRole',
  method: 'post',
  path: '/roles',
  tag,
  summary: 'Create a role',
  needs: 'sallyport:registry:write',
  params: null,
  query: null,
  body: bodies.newRole,
  answers: creating(answers.changedRole),
  creates: async ({ control }, { caller }, made) => {
    const { role } = await control.administration.showRole(caller.actor, { name: made });
    return { status: 200, body: { role, changed: false }, version: role.version };
  },
  handle: async ({ control }, { caller, body }) => {
    const { name, permissions, description } = body;
    const answer = await control.administration.createRole(caller.actor, {
      name,
      permissions,
      ...defined({ description }),
    });
    return { status: 201, body: answer, version: answer.role.version, made: name };
  },
});

const get = operation({
  id: 'getRole',
  method: 'get',
  path: '/roles/{name}',
  tag,
  summary: 'Show a role and who has it',
  needs: 'sallyport:registry:read',
  params: NAMED,
  query: null,
  body: null,
  answers: { 200: { description: 'The role.', schema: answers.shownRole, etag: true } },
  handle: async ({ control }, { caller, params }) => {
    const answer = await control.administration.showRole(caller.actor, params);
    return { status: 200, body: answer, version: answer.role.version };
  },
});

const edit = operation({
  id: 'editRole',
  method: 'patch',
  path: '/roles/{name}',
  tag,
  summary: 'Change a role, for everybody who has it',
  needs: 'sallyport:registry:write',
  params: NAMED,
  query: WAIT,
  body: bodies.roleEdit,
  conditional: true,
  answers: changing(answers.changedRole),
  handle: async ({ control }, call) => {
    const { caller, params, body } = call;
    const answer = await control.administration.editRole(caller.actor, {
      ...params,
      ...howOf(call),
      ...defined(body),
    });
    return changed(answer, answer.role.version);
  },
});

const remove = operation({
  id: 'deleteRole',
  method: 'delete',
  path: '/roles/{name}',
  tag,
  summary: 'Delete a role that nobody has',
  needs: 'sallyport:registry:write',
  params: NAMED,
  query: WAIT,
  body: null,
  conditional: true,
  answers: changing(answers.changedRole),
  handle: async ({ control }, call) => {
    const { caller, params } = call;
    return changed(
      await control.administration.deleteRole(caller.actor, { ...params, ...howOf(call) }),
    );
  },
});

export const ROLES: readonly Operation[] = [list, create, get, edit, remove];
