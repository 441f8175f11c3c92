import type { Role, Team } from '../../account/model.ts';
import { Policy } from '../../account/policy.ts';
import { compilePrincipal, type RoleRule } from '../../account/principal.ts';
import type { AccountView } from '../../admin/views.ts';
import { type Html, html, type Slot } from '../html.ts';
import { permissionsWords } from '../words.ts';
import { chips, table } from './parts.ts';

/** What the account may do, application by application, as the gate itself would decide it. */
export function effectiveTable(
  account: AccountView,
  roles: readonly Role[],
  teams: readonly Team[],
): Html {
  const policy = Policy.of(roles, teams);
  // Who may do what hangs on roles, teams and grants alone.
  const { subject: _, allowedNetworks: __, boundTo: ___, honey: ____, ...shown } = account;
  const principal = compilePrincipal({
    ...shown,
    token: null,
    previous: null,
    retired: [],
    password: null,
  });
  const own = new Set(account.teams.map(({ team }) => team));
  const applications = new Set([
    ...account.grants.map(({ application }) => application),
    ...teams
      .filter(({ name }) => own.has(name))
      .flatMap(({ applications, inDoubt = [] }) => [...applications, ...inDoubt]),
  ]);
  const row = (name: Slot, role: string, why: Slot): readonly Slot[] => {
    const { patterns } = policy.permissionsOf(role);
    const may = html`${permissionsWords(patterns)}${patterns.length === 0 ? '' : html`<details class="small"><summary>Permissions</summary>${chips(patterns)}</details>`}`;
    return [name, why, html`<a href="/roles/${role}">${role}</a>`, may];
  };
  const rows = [...applications].sort().map((application) => {
    const owner = policy.ownerOf(application);
    const { rule, role } = principal.roleRule(application, owner);
    return row(html`<span class="mono">${application}</span>`, role, ruleWords(rule, owner));
  });
  const rest = row('Everything else', account.role, 'default role');
  const columns = ['Application', 'Decided by', 'Role', 'What that means'].map((name) => ({
    name,
  }));
  return table('Effective permissions', columns, [...rows, rest]);
}

function ruleWords(rule: RoleRule['rule'], team: string | null): Slot {
  if (rule === 'grant') return 'grant on this application';
  if (rule === 'in-doubt') return 'nobody: the store has lost who owns it, change its team';
  return rule === 'team' && team !== null
    ? html`team <a href="/teams/${team}">${team}</a>`
    : 'default role';
}
