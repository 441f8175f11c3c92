/** Of a commit that changes no record: its events, and what waits, are all of it. */
export const NOTHING = {
  expects: [],
  changes: [],
  claims: { take: [], drop: [] },
  references: { add: [], remove: [] },
  unreferenced: [],
} as const;
