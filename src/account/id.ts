import { randomCharacters } from './alphabet.ts';

/**
 * 12 characters, 71 bits: collisions are not to be expected, and the registry's "must not exist"
 * refuses them all the same.
 */
export const ACCOUNT_ID_LENGTH = 12;

export function newAccountId(): string {
  return randomCharacters(ACCOUNT_ID_LENGTH);
}
