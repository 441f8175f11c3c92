import type { OperationName } from '../administration.ts';
import { ACCOUNTS } from '../operations/accounts.ts';
import { ACTIVITY } from '../operations/activity.ts';
import { APPROVALS } from '../operations/approvals.ts';
import { AUDIT } from '../operations/audit.ts';
import { DECLARATION, ROLES, TEAMS } from '../operations/policy.ts';
import { PREVIEW } from '../operations/preview.ts';
import { QUESTIONS } from '../operations/questions.ts';
import { RECORD } from '../operations/record.ts';
import { SERVICE_ACCOUNTS } from '../operations/tokens.ts';
import { TRAIL } from '../operations/trail.ts';
import { USAGE_ROWS } from '../operations/usage.ts';
import { USERS } from '../operations/users.ts';
import { WEBHOOKS } from '../operations/webhooks.ts';
import type { Operation } from './operation.ts';
import { foundToken } from './operations/found-token.ts';
import { routesOf } from './routes.ts';

const namesOf = (rows: object) => Object.keys(rows) as readonly OperationName[];

/** The order of the documentation. */
const TAGS = [
  'Service Accounts',
  'Users',
  'Roles',
  'Teams',
  'Declaration',
  'Approvals',
  'Activity',
  'Usage',
  'Instances',
  'Webhooks',
  'Explain',
  'Advice',
  'Tokens',
];

const ofAccounts = [ACCOUNTS, SERVICE_ACCOUNTS, USERS].flatMap(namesOf);
const ofPolicy = [ROLES, TEAMS, DECLARATION, APPROVALS, PREVIEW].flatMap(namesOf);

/** All that the API can, in the order of its documentation. */
export const OPERATIONS: readonly Operation[] = [
  ...routesOf([...ofAccounts, ...ofPolicy, 'renewToken']),
  ...routesOf([...namesOf(USAGE_ROWS), ...namesOf(TRAIL)]),
  ...routesOf([ACTIVITY, RECORD, QUESTIONS, WEBHOOKS, AUDIT].flatMap(namesOf)),
].sort((a, b) => TAGS.indexOf(a.tag) - TAGS.indexOf(b.tag));

/** Served only where it is asked for. */
export const FOUND_TOKENS: readonly Operation[] = routesOf(['reportToken']).map(foundToken);
