import type { Operation } from './operation.ts';
import { DECLARATION } from './operations/declaration.ts';
import { RECORDS } from './operations/records.ts';
import { REINDEXING } from './operations/reindexing.ts';
import { ROLES } from './operations/roles.ts';
import { SERVICE_ACCOUNTS } from './operations/service-accounts.ts';
import { TEAMS } from './operations/teams.ts';
import { TOKENS } from './operations/tokens.ts';
import { USERS } from './operations/users.ts';
import { VERIFICATION } from './operations/verification.ts';

export { FOUND_TOKENS } from './operations/tokens.ts';

/** All that the API can, in the order of its documentation. */
export const OPERATIONS: readonly Operation[] = [
  ...SERVICE_ACCOUNTS,
  ...USERS,
  ...ROLES,
  ...TEAMS,
  ...DECLARATION,
  ...RECORDS,
  ...VERIFICATION,
  ...REINDEXING,
  ...TOKENS,
];
