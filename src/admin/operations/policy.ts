import { applyDeclaration } from '../apply-declaration.ts';
import { checkDeclaration } from '../check-declaration.ts';
import * as roles from '../roles.ts';
import * as answers from '../schemas/answers.ts';
import * as inputs from '../schemas/inputs.ts';
import { listTeamMembers } from '../team-members.ts';
import * as teams from '../teams.ts';
import type { TeamView } from '../views.ts';
import { changing, creating } from './answers.ts';
import { row } from './row.ts';

/** Roles, teams, and what declares them. */

const read = 'sallyport:registry:read';
const write = 'sallyport:registry:write';
const ROLES_TAG = 'Roles';
const TEAMS_TAG = 'Teams';
/** Every role and team that there may be fits. */
const DECLARATION_BYTES = 4 * 1024 * 1024;
const byName = ({ name }: { readonly name: string }) => name;
const changedRole = { tag: ROLES_TAG, answers: changing(answers.changedRole) };
const changedTeam = { tag: TEAMS_TAG, answers: changing(answers.changedTeam) };

export const ROLES = {
  listRoles: row({
    needs: read,
    input: {},
    run: (context, actor, _input: object) => roles.listRoles(context, actor),
    routes: [
      {
        id: 'listRoles',
        method: 'get',
        path: '/roles',
        tag: ROLES_TAG,
        summary: 'List roles',
        answers: { 200: { description: 'One page.', schema: answers.rolePage } },
        csv: 'roles',
        pages: byName,
      },
    ],
  }),
  createRole: row({
    needs: write,
    input: inputs.NEW_ROLE,
    run: roles.createRole,
    canWait: true,
    isPreviewed: true,
    records: ['role-created'],
    routes: [
      {
        id: 'createRole',
        method: 'post',
        path: '/roles',
        tag: ROLES_TAG,
        summary: 'Create a role',
        body: { name: 'NewRole' },
        answers: creating(answers.changedRole),
        version: ({ role }) => role.version,
        creates: {
          made: ({ role }) => role.name,
          shownBy: 'showRole',
          asked: (name) => ({ name }),
          again: ({ role }: roles.ShownRole) => ({
            body: { role, changed: false },
            version: role.version,
          }),
        },
      },
    ],
  }),
  showRole: row({
    needs: read,
    input: { name: inputs.NAMED.name },
    run: roles.showRole,
    routes: [
      {
        id: 'getRole',
        method: 'get',
        path: '/roles/{name}',
        tag: ROLES_TAG,
        summary: 'Show a role and who has it',
        answers: { 200: { description: 'The role.', schema: answers.shownRole, etag: true } },
        version: ({ role }) => role.version,
      },
    ],
  }),
  editRole: row({
    needs: write,
    input: inputs.ROLE_EDIT,
    run: roles.editRole,
    canWait: true,
    isPreviewed: true,
    isReplayed: true,
    records: ['role-changed'],
    routes: [
      {
        id: 'editRole',
        method: 'patch',
        path: '/roles/{name}',
        summary: 'Change a role, for everybody who has it',
        body: { name: 'RoleEdit' },
        ...changedRole,
        version: ({ role }) => role.version,
      },
    ],
  }),
  deleteRole: row({
    needs: write,
    input: inputs.NAMED,
    run: roles.deleteRole,
    canWait: true,
    isPreviewed: true,
    isReplayed: true,
    records: ['role-deleted'],
    routes: [
      {
        id: 'deleteRole',
        method: 'delete',
        path: '/roles/{name}',
        summary: 'Delete a role that nobody has',
        ...changedRole,
      },
    ],
  }),
} as const;

export const TEAMS = {
  listTeams: row({
    needs: read,
    input: {},
    run: (context, actor, _input: object) => teams.listTeams(context, actor),
    routes: [
      {
        id: 'listTeams',
        method: 'get',
        path: '/teams',
        tag: TEAMS_TAG,
        summary: 'List teams',
        answers: { 200: { description: 'One page.', schema: answers.teamPage } },
        csv: 'teams',
        pages: byName,
      },
    ],
  }),
  createTeam: row({
    needs: write,
    input: inputs.NEW_TEAM,
    run: teams.createTeam,
    canWait: true,
    isPreviewed: true,
    records: ['team-created'],
    routes: [
      {
        id: 'createTeam',
        method: 'post',
        path: '/teams',
        tag: TEAMS_TAG,
        summary: 'Create a team',
        body: { name: 'NewTeam' },
        answers: creating(answers.changedTeam),
        version: ({ team }) => team.version,
        creates: {
          made: ({ team }) => team.name,
          shownBy: 'showTeam',
          asked: (name) => ({ name }),
          again: ({ members: _, memberCount: __, ...team }: TeamView) => ({
            body: { team, changed: false },
            version: team.version,
          }),
        },
      },
    ],
  }),
  showTeam: row({
    needs: read,
    input: { name: inputs.NAMED.name },
    run: teams.showTeam,
    routes: [
      {
        id: 'getTeam',
        method: 'get',
        path: '/teams/{name}',
        tag: TEAMS_TAG,
        summary: 'Show a team and its members',
        answers: {
          200: {
            description: 'The team, with at most 1000 members.',
            schema: answers.shownTeam,
            etag: true,
          },
        },
        tell: (team) => ({ team }),
        told: ({ team }: { team: TeamView }) => team,
        version: (team) => team.version,
      },
    ],
  }),
  editTeam: row({
    needs: write,
    input: inputs.TEAM_EDIT,
    run: teams.editTeam,
    canWait: true,
    isPreviewed: true,
    isReplayed: true,
    records: ['team-changed'],
    routes: [
      {
        id: 'editTeam',
        method: 'patch',
        path: '/teams/{name}',
        summary: 'Change the applications or the description of a team',
        body: { name: 'TeamEdit' },
        ...changedTeam,
        version: ({ team }) => team.version,
      },
    ],
  }),
  deleteTeam: row({
    needs: write,
    input: inputs.NAMED,
    run: teams.deleteTeam,
    canWait: true,
    isPreviewed: true,
    isReplayed: true,
    records: ['team-deleted'],
    routes: [
      {
        id: 'deleteTeam',
        method: 'delete',
        path: '/teams/{name}',
        summary: 'Delete a team that has no members',
        ...changedTeam,
      },
    ],
  }),
  listTeamMembers: row({
    needs: read,
    input: inputs.TEAM_MEMBERS,
    run: listTeamMembers,
    routes: [
      {
        id: 'listTeamMembers',
        method: 'get',
        path: '/teams/{name}/members',
        tag: TEAMS_TAG,
        summary: 'List the members of a team',
        params: { name: 'team' },
        answers: { 200: { description: 'One page.', schema: answers.memberPage } },
        csv: 'members',
      },
    ],
  }),
} as const;

export const DECLARATION = {
  checkDeclaration: row({
    needs: write,
    input: inputs.DECLARATION,
    run: checkDeclaration,
    isLong: true,
    routes: [
      {
        id: 'checkDeclaration',
        method: 'post',
        path: '/declaration/check',
        tag: 'Declaration',
        summary: 'Could the caller make roles and teams what is declared here?',
        description:
          'Changes nothing. Refused as the first of the changes would be that is refused; none of them is made then.',
        // Service accounts are not declared from afar.
        without: ['serviceAccounts'],
        body: { name: 'Declaration', bytes: DECLARATION_BYTES },
        answers: {
          200: { description: 'All of it could be done.', schema: answers.checkedDeclaration },
        },
      },
    ],
  }),
  applyDeclaration: row({
    needs: write,
    input: inputs.APPLIED_DECLARATION,
    run: applyDeclaration,
    canWait: true,
    isLong: true,
    isPreviewed: true,
    isReplayed: true,
    records: [
      'role-created',
      'role-changed',
      'team-created',
      'team-changed',
      'account-created',
      'account-changed',
    ],
    routes: [
      {
        id: 'applyDeclaration',
        method: 'post',
        path: '/declaration',
        tag: 'Declaration',
        summary: 'Make roles and teams what is declared here',
        description:
          'All of it is judged before anything is changed, and 256 changes at a time are made in one step: a declaration of no more than that is applied whole or not at all. `fault` says what ended a longer one.',
        without: ['serviceAccounts'],
        body: { name: 'AppliedDeclarationInput', bytes: DECLARATION_BYTES },
        answers: {
          200: { description: 'What was and was not applied.', schema: answers.appliedDeclaration },
        },
      },
    ],
  }),
} as const;
