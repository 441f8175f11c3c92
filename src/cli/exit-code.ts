/**
 * What the shell is told. A registry that says no is 1; words or files that cannot be right are 2.
 */
export const EXIT = { done: 0, refused: 1, usage: 2, unreachable: 3 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
