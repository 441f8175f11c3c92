import { userInfo } from 'node:os';
import { type AdminActor, storeOwner } from '../admin/actor.ts';

/** For the audit: who used the rights of the store. */
export function whoRuns(): AdminActor {
  return storeOwner(userName(), 'command-line');
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number that has no name.
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}
