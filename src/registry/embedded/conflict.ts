import type { CommitResult } from '../commit.ts';

/**
 * A commit that does not fit what is stored: thrown inside the transaction to undo it, answered
 * outside.
 */
export class Conflict extends Error {
  readonly result: CommitResult;
  constructor(result: CommitResult) {
    super('conflict');
    this.result = result;
  }
}
