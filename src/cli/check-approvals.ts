import { compilePermissions, exceeds } from '../account/permission.ts';
import type { Config } from '../config/schema.ts';
import type { Finding } from '../store/redis-finding.ts';
import { EXIT } from './exit-code.ts';
import { failureOf } from './failure.ts';
import { type Reached, withReach } from './reach.ts';

/** Accounts of one role that are looked at: two are enough. */
const LOOKED_AT = 100;

/**
 * Whether the protected roles are there, and whether what waits for a second administrator can be
 * approved by one: by who may change the registry and do all that the role allows.
 */
export async function findUnapprovable(
  { console: { approvals } }: Config,
  options: { readonly config: string },
): Promise<readonly Finding[]> {
  if (approvals.roles.length === 0) return [];
  try {
    return await withReach(options, false, (reached) => findingsOf(reached, approvals.roles));
  } catch (error) {
    // Of a store that cannot be read the other checks tell.
    if (failureOf(error).code !== EXIT.unreachable) throw error;
    return [];
  }
}

async function findingsOf(reached: Reached, named: readonly string[]): Promise<readonly Finding[]> {
  const { control, actor } = reached;
  const roles = await control.administration.listRoles(actor, {});
  const findings: Finding[] = [];
  for (const name of named) {
    const role = roles.find((one) => one.name === name);
    if (role === undefined) {
      findings.push({
        ...{ severity: 'note', server: null },
        found: `console.approvals.roles: there is no role ${name}`,
        means: 'It is protected once somebody makes it. Mend the name if it is another one.',
      });
      continue;
    }
    const wanted = compilePermissions([...role.permissions, 'sallyport:registry:write']);
    const able = roles.filter(
      ({ permissions }) => !exceeds(wanted, compilePermissions(permissions)),
    );
    const count = await countOf(
      reached,
      able.map((one) => one.name),
    );
    if (count < 2)
      findings.push({
        ...{ severity: 'note', server: null },
        found: `console.approvals.roles: ${count === 0 ? 'nobody' : 'one account alone'} could approve a change to ${name}`,
        means:
          'Whoever proposes one needs somebody else who may change the registry and do all that ' +
          `${name} allows. Make another administrator (user create --without-approval, on the store).`,
      });
  }
  return findings;
}

/** Accounts that are let in now with one of these default roles, as far as two. */
async function countOf({ control, actor }: Reached, roles: readonly string[]): Promise<number> {
  let count = 0;
  for (const role of roles) {
    const query = { role, status: 'active', limit: LOOKED_AT } as const;
    const { items } = await control.administration.listAccounts(actor, query);
    count += items.filter((account) => account.role === role && !account.expired).length;
    if (count >= 2) return count;
  }
  return count;
}
