import { CSV_HEADER, csvRow } from '../audit/export/csv.ts';
import type { WebhookView } from '../webhooks/desk.ts';
import type { MatrixCell, MatrixRow } from './access-matrix.ts';
import type { WaitingView } from './approvals/approvals.ts';
import { type Columns, type CsvList, linesOf, listOf } from './csv-list.ts';
import { AdminError } from './error.ts';
import type { InstancesView } from './instances.ts';
import { bindingWords } from './restriction.ts';
import type { UsageFigures, UsagePoint, UsageTopItem } from './usage.ts';
import type { AccountView, ListedRole, ListedTeam, TeamMember } from './views.ts';
import type { WhoCan } from './who-can.ts';

type MatrixLine = MatrixCell & Pick<MatrixRow, 'account' | 'standing'>;

const FIGURES = [
  ['calls', ({ calls }) => calls],
  ['missed', ({ missed }) => missed],
  ['refused', ({ refused }) => refused],
  ['requestBytes', ({ requestBytes }) => requestBytes],
  ['responseBytes', ({ responseBytes }) => responseBytes],
  ['p50Ms', ({ p50Ms }) => p50Ms],
  ['p99Ms', ({ p99Ms }) => p99Ms],
] as const satisfies Columns<UsageFigures & Pick<UsagePoint, 'missed'>>;

/** New columns come at the end: readers may go by position. */
export const CSV_LISTS = {
  accounts: listOf<AccountView>([
    ['name', ({ name }) => name],
    ['id', ({ id }) => id],
    ['kind', ({ kind }) => kind],
    ['status', ({ status }) => status],
    ['expired', ({ expired }) => String(expired)],
    ['role', ({ role }) => role],
    ['teams', ({ teams }) => teams.map(({ team, role }) => `${team}:${role}`).join(' ')],
    [
      'grants',
      ({ grants }) => grants.map(({ application, role }) => `${application}:${role}`).join(' '),
    ],
    ['expiresAt', ({ expiresAt }) => expiresAt],
    ['createdAt', ({ createdAt }) => createdAt],
    ['updatedAt', ({ updatedAt }) => updatedAt],
    ['tokenCreatedAt', ({ token }) => token?.createdAt],
    ['tokenLastUsedAt', ({ token }) => token?.lastUsed?.at],
    ['tokenLastUsedFrom', ({ token }) => token?.lastUsed?.address],
    ['allowedNetworks', ({ allowedNetworks }) => allowedNetworks.join(' ')],
    ['boundTo', ({ boundTo }) => bindingWords(boundTo)],
    ['honey', ({ honey }) => String(honey)],
    ['description', ({ description }) => description],
  ]),
  roles: listOf<ListedRole>([
    ['name', ({ name }) => name],
    ['usedBy', ({ uses }) => uses],
    ['permissions', ({ permissions }) => permissions.join(' ')],
    ['builtIn', ({ builtIn }) => String(builtIn)],
    ['createdAt', ({ createdAt }) => createdAt],
    ['updatedAt', ({ updatedAt }) => updatedAt],
    ['description', ({ description }) => description],
  ]),
  teams: listOf<ListedTeam>([
    ['name', ({ name }) => name],
    ['members', ({ memberCount }) => memberCount],
    ['applications', ({ applications }) => applications.join(' ')],
    ['createdAt', ({ createdAt }) => createdAt],
    ['updatedAt', ({ updatedAt }) => updatedAt],
    ['description', ({ description }) => description],
  ]),
  members: listOf<TeamMember>([
    ['account', ({ account }) => account],
    ['id', ({ id }) => id],
    ['kind', ({ kind }) => kind],
    ['role', ({ role }) => role],
  ]),
  whoCan: listOf<WhoCan>([
    ['account', ({ account }) => account],
    ['permission', ({ permission }) => permission],
    ['applications', ({ application, applications }) => application ?? applications.join(' ')],
    ['role', ({ role }) => role],
    ['rule', ({ rule }) => rule],
    ['allowedNetworks', ({ allowedNetworks }) => allowedNetworks.join(' ')],
    ['boundTo', ({ boundTo }) => bindingWords(boundTo)],
    ['team', ({ team }) => team],
  ]),
  matrix: linesOf<MatrixRow, MatrixLine>(
    ({ account, standing, cells }) => cells.map((cell) => ({ account, standing, ...cell })),
    [
      ['account', ({ account }) => account],
      ['application', ({ application }) => application],
      ['allowed', ({ allowed }) => String(allowed)],
      ['role', ({ role }) => role],
      ['rule', ({ rule }) => rule],
      ['team', ({ team }) => team],
      ['standing', ({ standing }) => standing],
    ],
  ),
  /** The columns of `audit export --format csv`. */
  activity: {
    header: CSV_HEADER,
    line: (event: unknown) => csvRow(typeof event === 'string' ? event : JSON.stringify(event)),
  },
  usageTop: listOf<UsageTopItem>([
    ['name', ({ name }) => name],
    ['id', ({ id }) => id],
    ...FIGURES,
  ]),
  usage: listOf<UsagePoint>([['from', ({ from }) => from], ...FIGURES]),
  instances: listOf<InstancesView['items'][number]>([
    ['instance', ({ instance }) => instance],
    ['version', ({ version }) => version],
    ['leaseMs', ({ leaseMs }) => leaseMs],
    ['leaseRemainingMs', ({ leaseRemainingMs }) => leaseRemainingMs],
    ['appliedSeq', ({ appliedSeq }) => appliedSeq],
    ['lag', ({ lag }) => lag],
    ['auditKey', ({ auditKey }) => auditKey],
  ]),
  approvals: listOf<WaitingView>([
    ['id', ({ id }) => id],
    ['proposedBy', ({ proposedBy }) => proposedBy.name],
    ['proposedById', ({ proposedBy }) => proposedBy.id],
    ['via', ({ proposedBy }) => proposedBy.via],
    ['proposedAt', ({ proposedAt }) => proposedAt],
    ['expiresAt', ({ expiresAt }) => expiresAt],
    ['roles', ({ roles }) => roles.join(' ')],
    ['changes', ({ changes }) => changes.map(({ kind, name }) => `${kind}:${name}`).join(' ')],
  ]),
  webhooks: listOf<WebhookView>([
    ['name', ({ name }) => name],
    ['url', ({ url }) => url],
    ['secrets', ({ secrets }) => secrets],
    ['networks', ({ networks }) => networks?.join(' ') ?? 'public'],
    ['events', ({ events }) => events.join(' ')],
  ]),
} as const;

export type CsvListName = keyof typeof CSV_LISTS;

/** The text of some items, without the header. */
export function csvLines(list: CsvListName, items: readonly unknown[]): string {
  const { line } = CSV_LISTS[list] as CsvList<unknown>;
  return items.map((item) => line(item)).join('');
}

/**
 * A table has no place to say that records are missing from it, and would look whole: where some
 * cannot be read there is none. Throws `AdminError` (`unavailable`).
 */
export function mustBeWhole({ damaged = [] }: { readonly damaged?: readonly string[] }): void {
  if (damaged.length > 0)
    throw new AdminError(
      'unavailable',
      `these accounts cannot be read, and a table would not say so: ${damaged.join(', ')}`,
    );
}
