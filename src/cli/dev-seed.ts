import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ADMINISTRATOR_ROLE } from '../account/role.ts';
import { parseToken, tokenDigest, tokenId } from '../account/token.ts';
import type { AdminActor } from '../admin/actor.ts';
import type { Administration } from '../admin/administration.ts';
import type { AccountView } from '../admin/views.ts';
import { SecretFile } from './secret-file.ts';

export const DEV_TOKEN_FILE = 'dev-token';
export const DEV_USER = 'admin';
export const DEPLOYER_ACCOUNT = 'ci-pipeline';
const VIEWER_ACCOUNT = 'status-board';

const ROLES = [
  {
    name: 'viewer',
    description: 'May look at everything and change nothing',
    permissions: ['environments:read', 'applications:read', 'deployments:read', 'echo:use'],
  },
  {
    name: 'deployer',
    description: 'May look, make versions and deploy',
    permissions: [
      'environments:read',
      'applications:read',
      'applications:write',
      'deployments:read',
      'deployments:write',
      'echo:use',
    ],
  },
] as const;

const TEAMS = [
  { name: 'customer-apps', description: 'What customers see', applications: ['CRM', 'Portal'] },
  {
    name: 'finance-apps',
    description: 'What the auditors see',
    applications: ['Billing', 'Ledger'],
  },
] as const;

export interface SampleAccounts {
  /**
   * The sample account was switched off by somebody; the lines of the page will be refused until it
   * is activated.
   */
  readonly deployerActive: boolean;
  /**
   * Of the console's first user, who was made just now; null: there was one already, and nobody
   * knows the password but that person.
   */
  readonly password: string | null;
}

/**
 * Makes what is missing of the sample and leaves what is there: somebody may be in the middle of
 * trying things.
 */
export async function ensureSampleAccounts(
  admin: Administration,
  actor: AdminActor,
  dataDir: string,
): Promise<SampleAccounts> {
  const roles = new Set((await admin.listRoles(actor, {})).map(({ name }) => name));
  for (const role of ROLES) if (!roles.has(role.name)) await admin.createRole(actor, role);
  const teams = await admin.listTeams(actor, {});
  const owned = new Set(
    teams.flatMap(({ applications }) =>
      applications.map((application) => application.toLowerCase()),
    ),
  );
  for (const team of TEAMS) {
    if (teams.some(({ name }) => name === team.name)) continue;
    await admin.createTeam(actor, {
      ...team,
      applications: team.applications.filter((one) => !owned.has(one.toLowerCase())),
    });
  }
  const tokenFile = join(dataDir, DEV_TOKEN_FILE);
  const deployer = await ensureDeployer(admin, actor, tokenFile);
  if ((await find(admin, actor, VIEWER_ACCOUNT)) === null) {
    await admin.createServiceAccount(actor, {
      name: VIEWER_ACCOUNT,
      role: 'viewer',
      description: 'The screen in the hallway',
    });
  }
  return {
    deployerActive: deployer.status === 'active' && !deployer.expired,
    password: await ensureUser(admin, actor),
  };
}

/**
 * Somebody must be able to open the console. The password is made here, shown once, and kept
 * nowhere.
 */
async function ensureUser(admin: Administration, actor: AdminActor): Promise<string | null> {
  const { items } = await admin.listAccounts(actor, { name: DEV_USER });
  if (items.length > 0) return null;
  const password = randomBytes(15).toString('base64url');
  await admin.createUser(actor, {
    name: DEV_USER,
    role: ADMINISTRATOR_ROLE,
    password,
    description: 'The first user of the console',
  });
  return password;
}

/** Viewer everywhere, deployer in one team: the same account is let in here and refused there. */
async function ensureDeployer(
  admin: Administration,
  actor: AdminActor,
  tokenFile: string,
): Promise<AccountView> {
  const existing = await find(admin, actor, DEPLOYER_ACCOUNT);
  if (existing?.token != null && existing.token.id === idOfTokenIn(tokenFile)) return existing;
  const file = await SecretFile.prepare(tokenFile, true);
  try {
    const issued =
      existing === null
        ? await admin.createServiceAccount(actor, {
            name: DEPLOYER_ACCOUNT,
            role: 'viewer',
            description: 'Builds and deploys what customers see',
            teams: [{ team: 'customer-apps', role: 'deployer' }],
          })
        : await admin.rotateToken(actor, { name: DEPLOYER_ACCOUNT, kind: 'service' });
    file.write(issued.token);
    return issued.account;
  } finally {
    file.close();
  }
}

async function find(
  admin: Administration,
  actor: AdminActor,
  name: string,
): Promise<AccountView | null> {
  let cursor: string | null = null;
  do {
    const page = await admin.listAccounts(actor, { kind: 'service', cursor, limit: 500 });
    const found = page.items.find((account) => account.name === name);
    if (found !== undefined) return found;
    cursor = page.next;
  } while (cursor !== null);
  return null;
}

/** The public handle of the token in the file; null when there is none. */
function idOfTokenIn(file: string): string | null {
  try {
    const token = readFileSync(file, 'utf8').trim();
    return parseToken(token) === null ? null : tokenId(tokenDigest(token));
  } catch {
    return null;
  }
}
