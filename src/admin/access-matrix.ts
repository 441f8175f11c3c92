import { Policy } from '../account/policy.ts';
import { compilePrincipal, type Principal, type RoleRule } from '../account/principal.ts';
import { standingOf } from '../decision/authenticate.ts';
import { judgeOn } from '../decision/authorise.ts';
import type { Route } from '../decision/route.ts';
import { turn } from '../turns.ts';
import { type AdminActor, mustBeThere } from './actor.ts';
import { reading } from './change.ts';
import type { AdminContext } from './context.ts';
import { knownRoutes } from './known-routes.ts';
import { accountsPage } from './list-accounts.ts';

/** What is asked: who has one permission on which applications. */
export interface MatrixQuestion {
  /** One permission, such as `deployments:write`. */
  readonly permission: string;
  /** Part of the name or the description of accounts, or a whole id. */
  readonly search?: string;
  /** Part of the name of applications. */
  readonly application?: string;
  /** Applications of one answer, 1 to 50; default 12. */
  readonly columns?: number;
  /** Applications behind this one, in the order of their names. */
  readonly after?: string;
  /** Accounts of one answer, 1 to 200; default 50. */
  readonly limit?: number;
  readonly cursor?: string;
  /** By whose published routes applications are found besides those of teams. */
  readonly instance?: string;
}

export interface MatrixCell {
  readonly application: string;
  readonly allowed: boolean;
  /** The effective role there. */
  readonly role: string;
  readonly rule: RoleRule['rule'];
  /** The team by which it has the role. */
  readonly team: string | null;
}

export interface MatrixRow {
  readonly account: string;
  /** Why it is let in nowhere, whatever its roles; null: it counts. */
  readonly standing: 'account-inactive' | 'token-expired' | 'honey' | null;
  readonly cells: readonly MatrixCell[];
}

export interface MatrixPage {
  readonly permission: string;
  /** The applications of this answer, in the order of the cells. */
  readonly applications: readonly string[];
  /** How many there are on all pages. */
  readonly applicationsTotal: number;
  /** The last one of this answer, where others follow. */
  readonly nextAfter: string | null;
  readonly items: readonly MatrixRow[];
  /** How many accounts there are on all pages. */
  readonly total: number;
  readonly damaged: readonly string[];
  readonly previous: string | null;
  readonly next: string | null;
}

const DEFAULTS = { columns: 12, limit: 50 } as const;
/** Rows that are judged in one turn of the loop. */
const ROWS_AT_ONCE = 25;

/**
 * Service accounts by applications, each judged by the function that decides calls: a cell says yes
 * where a call about that application, for this permission, would be let in.
 */
export async function accessMatrix(
  context: AdminContext,
  actor: AdminActor,
  question: MatrixQuestion,
): Promise<MatrixPage> {
  const { permission, search, cursor, limit = DEFAULTS.limit } = question;
  const { roles, teams } = await reading(() => context.store.snapshot());
  const policy = Policy.of(roles, teams);
  const doubted = teams.flatMap(({ inDoubt = [] }) => inDoubt);
  const routes = await routesAtHand(context, question.instance);
  const named = [...policy.ownedApplications(), ...doubted, ...fixedIn(routes)];
  const shown = columnsOf(named, question);
  const page = await accountsPage(context, {
    ...{ kind: 'service', limit },
    ...(cursor === undefined ? {} : { cursor }),
    ...(search === undefined ? {} : { search }),
  });
  const items: MatrixRow[] = [];
  for (const { account } of page.items) {
    if (items.length % ROWS_AT_ONCE === 0) await turn();
    mustBeThere(actor);
    const judged = judge({ policy, nowMs: context.clock.wallMs(), permission });
    items.push(judged(compilePrincipal(account), shown.applications));
  }
  const { total, damaged, previous, next } = page;
  return { permission, ...shown, items, total, damaged, previous, next };
}

/** Without routes there still are the applications of the teams. */
async function routesAtHand(
  context: AdminContext,
  instance: string | undefined,
): Promise<readonly Route[]> {
  try {
    return (await knownRoutes(context, instance)).routes;
  } catch (error) {
    if (instance !== undefined) throw error;
    return [];
  }
}

function fixedIn(routes: readonly Route[]): readonly string[] {
  return routes.flatMap(({ application }) =>
    application.from === 'fixed' ? [application.name] : [],
  );
}

type Columns = Pick<MatrixPage, 'applications' | 'applicationsTotal' | 'nextAfter'>;

function columnsOf(
  named: readonly string[],
  { application = '', after = '', columns = DEFAULTS.columns }: MatrixQuestion,
): Columns {
  const wanted = application.toLowerCase();
  const found = [...new Set(named)].filter((name) => name.toLowerCase().includes(wanted)).sort();
  // Of an application that no team owns there may be grants.
  if (found.length === 0 && wanted !== '') found.push(application);
  const rest = found.filter((name) => name > after);
  const applications = rest.slice(0, columns);
  const nextAfter = rest.length > columns ? (applications.at(-1) ?? null) : null;
  return { applications, applicationsTotal: found.length, nextAfter };
}

function judge({
  policy,
  nowMs,
  permission,
}: {
  readonly policy: Policy;
  readonly nowMs: number;
  readonly permission: string;
}): (account: Principal, applications: readonly string[]) => MatrixRow {
  return (account, applications) => {
    const standing = standingOf(account, nowMs);
    const counts = standing === 'proven';
    const cells = applications.map((application): MatrixCell => {
      const { allowed, role, because } = judgeOn(policy, account, application, permission);
      const { rule, team } = because;
      return { application, allowed: counts && allowed, role, rule, team };
    });
    return { account: account.account.name, standing: keptOut(account, standing), cells };
  };
}

function keptOut(
  { account }: Principal,
  standing: ReturnType<typeof standingOf>,
): MatrixRow['standing'] {
  if (account.honey === true) return 'honey';
  return standing === 'account-inactive' || standing === 'token-expired' ? standing : null;
}
