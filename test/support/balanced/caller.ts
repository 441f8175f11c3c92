import { readFileSync } from 'node:fs';
import { storeOwner } from '../../../src/admin/actor.ts';
import { createAdministration } from '../../../src/admin/administration.ts';
import { systemClock } from '../../../src/clock.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { openWithRegistry } from '../registry.ts';

/**
 * Makes the registry that a configuration names, and an account that may do everything. Answers its
 * token.
 */
export async function createCaller(file: string): Promise<string> {
  const { config } = parseConfig(readFileSync(file, 'utf8'), file);
  const stores = await openWithRegistry(config);
  try {
    const administration = createAdministration({ ...stores, clock: systemClock, instance: null });
    const owner = storeOwner('test', 'command-line');
    const role = { name: 'tester', description: '', permissions: ['test:*'] };
    await administration.createRole(owner, role);
    const fields = { name: 'caller', description: '', role: 'tester' };
    return (await administration.createServiceAccount(owner, fields)).token;
  } finally {
    await stores.close();
  }
}
