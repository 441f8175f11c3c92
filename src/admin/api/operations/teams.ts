import * as z from 'zod';
import type { AccountKind } from '../../../account/model.ts';
import { invalid, notFound } from '../../error.ts';
import { asMember } from '../../teams.ts';
import { changed, defined, type Operation, operation } from '../operation.ts';
import { pageOf } from '../pages.ts';
import * as answers from '../schemas/answers.ts';
import * as bodies from '../schemas/bodies.ts';
import * as parameters from '../schemas/parameters.ts';
import * as words from '../schemas/words.ts';
import { changing, creating, howOf, NAMED, WAIT } from './common.ts';

const tag = 'Teams';
const MEMBER = z.strictObject({ name: words.name, id: words.accountId });
const list = operation({
  id: 'listTeams',
  method: 'get',
  path: '/teams',
  tag,
  summary: 'List teams',
  needs: 'sallyport:registry:read',
  params: null,
  query: z.strictObject(parameters.pageQuery),
  body: null,
  answers: { 200: { description: 'One page.', schema: answers.teamPage } },
  handle: async ({ control }, { caller, query }) => {
    const teams = await control.administration.listTeams(caller.actor, {});
    return { status: 200, body: pageOf(teams, ({ name }) => name, query) };
  },
});

const create = operation({
  id: 'createTeam',
  method: 'post',
  path: '/teams',
  tag,
  summary: 'Create a team',
  needs: 'sallyport:registry:write',
  params: null,
  query: null,
  body: bodies.newTeam,
  answers: creating(answers.changedTeam),
  creates: async ({ control }, { caller }, made) => {
    const {
      members: _,
      memberCount: __,
      ...team
    } = await control.administration.showTeam(caller.actor, {
      name: made,
    });
    return { status: 200, body: { team, changed: false }, version: team.version };
  },
  handle: async ({ control }, { caller, body }) => {
    const { name, description, applications } = body;
    const answer = await control.administration.createTeam(caller.actor, {
      name,
      ...defined({ description, applications }),
    });
    return { status: 201, body: answer, version: answer.team.version, made: name };
  },
});

const get = operation({
  id: 'getTeam',
  method: 'get',
  path: '/teams/{name}',
  tag,
  summary: 'Show a team and its members',
  needs: 'sallyport:registry:read',
  params: NAMED,
  query: null,
  body: null,
  answers: {
    200: {
      description: 'The team, with at most 1000 members.',
      schema: answers.shownTeam,
      etag: true,
    },
  },
  handle: async ({ control }, { caller, params }) => {
    const team = await control.administration.showTeam(caller.actor, params);
    return { status: 200, body: { team }, version: team.version };
  },
});

const edit = operation({
  id: 'editTeam',
  method: 'patch',
  path: '/teams/{name}',
  tag,
  summary: 'Change the applications or the description of a team',
  needs: 'sallyport:registry:write',
  params: NAMED,
  query: WAIT,
  body: bodies.teamEdit,
  conditional: true,
  answers: changing(answers.changedTeam),
  handle: async ({ control }, call) => {
    const { caller, params, body } = call;
    const answer = await control.administration.editTeam(caller.actor, {
      ...params,
      ...howOf(call),
      ...defined(body),
    });
    return changed(answer, answer.team.version);
  },
});

const remove = operation({
  id: 'deleteTeam',
  method: 'delete',
  path: '/teams/{name}',
  tag,
  summary: 'Delete a team that has no members',
  needs: 'sallyport:registry:write',
  params: NAMED,
  query: WAIT,
  body: null,
  conditional: true,
  answers: changing(answers.changedTeam),
  handle: async ({ control }, call) => {
    const { caller, params } = call;
    return changed(
      await control.administration.deleteTeam(caller.actor, { ...params, ...howOf(call) }),
    );
  },
});

const members = operation({
  id: 'listTeamMembers',
  method: 'get',
  path: '/teams/{name}/members',
  tag,
  summary: 'List the members of a team',
  needs: 'sallyport:registry:read',
  params: NAMED,
  query: z.strictObject(parameters.pageQuery),
  body: null,
  answers: { 200: { description: 'One page.', schema: answers.memberPage } },
  handle: async ({ control }, { caller, params, query }) => {
    const { actor } = caller;
    const teams = await control.administration.listTeams(actor, {});
    if (!teams.some(({ name }) => name === params.name)) throw notFound('team', params.name);
    // Service accounts first, then users: two lists, and the cursor says which one it belongs to.
    const [, kind, cursor] = /^(service|user)\.(.*)$/.exec(query.cursor ?? 'service.') ?? [];
    if (kind === undefined || cursor === undefined)
      throw invalid([{ field: 'cursor', message: 'is not a cursor of this list' }]);
    const page = await control.administration.listAccounts(actor, {
      kind: kind as AccountKind,
      team: params.name,
      ...(cursor === '' ? {} : { cursor }),
      ...defined({ limit: query.limit }),
    });
    const more = page.next === null ? null : `${kind}.${page.next}`;
    return {
      status: 200,
      body: {
        items: page.items.map((account) => asMember(account, params.name)),
        next: more ?? (kind === 'service' ? 'user.' : null),
      },
    };
  },
});

const join = operation({
  id: 'putTeamMember',
  method: 'put',
  path: '/teams/{name}/members/{id}',
  tag,
  summary: 'Put an account into a team, or change its role there',
  description: '`If-Match` is about the account.',
  needs: 'sallyport:registry:write',
  params: MEMBER,
  query: WAIT,
  body: bodies.roleChoice,
  conditional: true,
  answers: changing(answers.changedAccount),
  handle: async ({ control }, call) => {
    const { caller, params, body } = call;
    const input = { id: params.id, team: params.name, role: body.role, ...howOf(call) };
    const answer = await control.administration.joinTeam(caller.actor, input);
    return changed(answer, answer.account.version);
  },
});

const leave = operation({
  id: 'removeTeamMember',
  method: 'delete',
  path: '/teams/{name}/members/{id}',
  tag,
  summary: 'Take an account out of a team',
  description: '`If-Match` is about the account.',
  needs: 'sallyport:registry:write',
  params: MEMBER,
  query: WAIT,
  body: null,
  conditional: true,
  answers: changing(answers.changedAccount),
  handle: async ({ control }, call) => {
    const { caller, params } = call;
    const answer = await control.administration.leaveTeam(caller.actor, {
      id: params.id,
      team: params.name,
      ...howOf(call),
    });
    return changed(answer, answer.account.version);
  },
});

export const TEAMS: readonly Operation[] = [list, create, get, edit, remove, members, join, leave];
