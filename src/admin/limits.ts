/**
 * Limits on what one record may hold. They bound every record, every feed entry and every answer
 * built from them.
 */
export const FIELD_LIMITS = {
  descriptionCharacters: 500,
  permissionsPerRole: 200,
  applicationsPerTeam: 500,
  teamsPerAccount: 50,
  grantsPerAccount: 200,
  /** They stand in every copy of an account's record. */
  networksPerAccount: 64,
  roles: 500,
  teams: 2000,
} as const;

/** An overlap is for handing a token over, not for having two: a week at most. */
export const OVERLAP_MOST_MS = 7 * 86_400_000;

/** Days of recorded calls that may be looked back on. */
export const TRAIL_DAYS_MOST = 90;
