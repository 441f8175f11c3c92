import { type Operation, operation } from '../operation.ts';
import * as bodies from '../schemas/bodies.ts';

/** Every role and team that there may be fits. */
const DECLARATION_BYTES = 4 * 1024 * 1024;

const check = operation({
  id: 'checkDeclaration',
  method: 'post',
  path: '/declaration/check',
  tag: 'Declaration',
  summary: 'Could the caller make roles and teams what is declared here?',
  description:
    'Changes nothing. Refused as the first of the changes would be that is refused; none of them is made then.',
  needs: 'sallyport:registry:write',
  params: null,
  query: null,
  body: bodies.declaration,
  bodyBytes: DECLARATION_BYTES,
  answers: { 200: { description: 'All of it could be done.', schema: bodies.checkedDeclaration } },
  handle: async ({ control }, { caller, body: { roles = [], teams = [] } }) => {
    const declared = {
      roles: roles.map((role) => ({ ...role, description: role.description ?? '' })),
      teams: teams.map((team) => ({
        ...team,
        description: team.description ?? '',
        applications: team.applications ?? [],
      })),
    };
    const answer = await control.administration.checkDeclaration(caller.actor, declared);
    return { status: 200, body: answer };
  },
});

export const DECLARATION: readonly Operation[] = [check];
