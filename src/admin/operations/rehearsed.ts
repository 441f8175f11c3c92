import { ACCOUNTS } from './accounts.ts';
import { DECLARATION, ROLES, TEAMS } from './policy.ts';
import type { Row } from './row.ts';
import { SERVICE_ACCOUNTS } from './tokens.ts';

/** Changes that can be looked at before they are made. */
const CHANGES = { ...ACCOUNTS, ...SERVICE_ACCOUNTS, ...ROLES, ...TEAMS, ...DECLARATION } as const;

export type Rehearsed = keyof typeof CHANGES;

const those = (flag: 'isPreviewed' | 'isReplayed') =>
  (Object.keys(CHANGES) as readonly Rehearsed[]).filter(
    (name) => (CHANGES[name] as Row)[flag] === true,
  );

/** Whose effect can be shown before. */
export const PREVIEWED = those('isPreviewed');

/** Whose effect on recorded calls can be asked for. */
export const REPLAYED = those('isReplayed');
