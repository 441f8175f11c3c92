import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

/** scrypt's N, of which a gate takes a hundred times as much. */
const CHEAP = 2 ** 10;

const { scrypt } = crypto;
let isCheap = false;

/**
 * From now on a password costs this process next to nothing, so that dozens of people can sign in
 * within a test. What it costs a gate is shown where this is not called: in
 * test/unit/account/password.test.ts. A gate in a process of its own knows no password that was
 * made here, as it still derives at the full cost.
 */
export function cheapenPasswords(): void {
  if (isCheap) return;
  isCheap = true;
  const cheap = (...[password, salt, bytes, options, done]: Parameters<typeof scrypt>) =>
    scrypt(password, salt, bytes, { ...options, N: Math.min(options.N ?? CHEAP, CHEAP) }, done);
  Object.assign(crypto, { scrypt: cheap });
  syncBuiltinESMExports();
}
