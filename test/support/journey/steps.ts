import type { Doors } from './doors.ts';
import { inDays, type Narrowing } from './model.ts';
import { apiQuestions, atLeast, BOT, cliQuestions, exactly, type Made } from './questions.ts';
import type { Step } from './step.ts';

interface AccountItem {
  readonly id: string;
  readonly name: string;
}
interface Listed {
  readonly items: readonly AccountItem[];
  readonly total: number;
}
interface Bulk {
  readonly items: readonly { readonly outcome: string; readonly loses: readonly string[] }[];
}

const OLD = { tokenIssuedUntilMs: inDays(-180), status: 'active' } as const;

/** What is looked for by both doors, and how many there must be. */
export const LISTS = {
  all: {},
  part: { search: '-77' },
  narrow: { role: 'role-7', team: 'team-7', status: 'active' },
  expiring: { expiresUntilMs: inDays(30) },
  some: { search: '-777', status: 'active' },
  old: OLD,
  oldSome: { ...OLD, search: '-777' },
} as const satisfies Readonly<Record<string, Narrowing>>;

const CALL = { method: 'GET', path: '/part-7/x' } as const;
/** Accounts that the scene itself makes: the one that asks, and the bot. */
const OURS = 2;

export function apiSteps(doors: Doors, totals: ReadonlyMap<string, number>): readonly Step[] {
  const list = async (query: string, expected: number) => {
    const page = await doors.api<Listed>('GET', `/service-accounts?${query}`, 200);
    return { page, words: exactly(page.total, expected) };
  };
  let bot: Made | null = null;
  let chosen: readonly string[] = [];
  const bulk = (change: object) =>
    doors.api<Bulk>('POST', '/service-accounts/bulk', 200, { ids: chosen, ...change });
  return [
    {
      what: 'create an account',
      run: async () => {
        bot = await doors.api('POST', '/service-accounts', 201, { name: BOT, role: 'role-7' });
        return exactly(bot?.account.name, BOT);
      },
    },
    {
      what: 'find by a part of the name',
      run: async () => (await list('search=-77', totals.get('part')!)).words,
    },
    {
      what: 'filter by role, team and status',
      run: async () =>
        (await list('role=role-7&team=team-7&status=active', totals.get('narrow')!)).words,
    },
    {
      what: 'expiring within 30 days, by expiry',
      run: async () =>
        (await list('expiringWithinDays=30&sort=expiresAt', totals.get('expiring')!)).words,
    },
    {
      what: 'all, by last use',
      run: async () => (await list('sort=lastUsed', totals.get('all')! + OURS)).words,
    },
    {
      what: 'preview the deactivation of many',
      run: async () => {
        const { page } = await list('search=-777&status=active&limit=256', totals.get('some')!);
        chosen = page.items.map(({ id }) => id);
        const { items } = await bulk({ status: 'inactive', preview: true });
        const losing = items.filter(({ loses }) => loses.length > 0);
        return exactly(losing.length, chosen.length);
      },
    },
    {
      what: 'deactivate them',
      run: async () => {
        await bulk({ status: 'inactive' });
        const left = totals.get('some')! - chosen.length;
        return (await list('search=-777&status=active', left)).words;
      },
    },
    {
      what: 'activate them again',
      run: async () => {
        await bulk({ status: 'active' });
        return (await list('search=-777&status=active', totals.get('some')!)).words;
      },
    },
    {
      what: 'rotate a token: the old one is refused',
      run: async () => {
        const { id } = bot!.account;
        const issued = await doors.api<Made>('POST', `/service-accounts/${id}/token`, 200);
        await doors.api('POST', '/token/renew', 401, undefined, bot!.token);
        exactly(issued.token === bot!.token, false);
        bot = issued;
        return 'refused';
      },
    },
    {
      what: 'what became of an account',
      run: async () => {
        const { items } = await doors.api<{ items: readonly { type: string }[] }>(
          ...(['GET', `/service-accounts/${bot!.account.id}/activity?phase=change`, 200] as const),
        );
        return exactly(items.map(({ type }) => type).join(), 'token-rotated,account-created');
      },
    },
    {
      what: 'would it be let in?',
      run: async () => {
        const asked = `/explain?account=${BOT}&method=GET&path=/part-7/x`;
        const { allowed } = await doors.api<{ allowed: boolean }>('GET', asked, 200);
        exactly(allowed, true);
        return 'yes';
      },
    },
    {
      what: 'who can: the first page',
      run: async () => {
        const asked = new URLSearchParams(CALL);
        const { items } = await doors.api<{ items: readonly object[] }>(
          ...(['GET', `/who-can?${asked}`, 200] as const),
        );
        return atLeast(items.length, 1);
      },
    },
    ...apiQuestions(doors, totals.get('old')!, () => bot!),
    {
      what: 'all of them as CSV, page by page',
      run: async () =>
        exactly(
          await doors.csvLines('/service-accounts?lastUsed=true&limit=500'),
          totals.get('all')! + OURS,
        ),
    },
    {
      what: 'delete the account',
      run: async () => {
        await doors.api('DELETE', `/service-accounts/${bot!.account.id}`, 200);
        return (await list('limit=1', totals.get('all')! + OURS - 1)).words;
      },
    },
  ];
}

export function cliSteps(doors: Doors, totals: ReadonlyMap<string, number>): readonly Step[] {
  const listed = async (...words: readonly string[]) =>
    (await doors.json<{ accounts: readonly AccountItem[] }>('account', 'list', ...words)).accounts;
  const some = ['--search', '-777', '--status'] as const;
  let bot: Made | null = null;
  return [
    {
      what: '`account create`',
      run: async () => {
        bot = await doors.json<Made>('account', 'create', BOT, '--role', 'role-7');
        return exactly(bot.account.name, BOT);
      },
    },
    {
      what: '`account list --search`',
      run: async () => exactly((await listed('--search', '-77')).length, totals.get('part')!),
    },
    {
      what: '`account list --role --team --status`',
      run: async () => {
        const words = ['--role', 'role-7', '--team', 'team-7', '--status', 'active'];
        return exactly((await listed(...words)).length, totals.get('narrow')!);
      },
    },
    {
      what: '`account list --sort lastUsed --limit 20`',
      run: async () => exactly((await listed('--sort', 'lastUsed', '--limit', '20')).length, 20),
    },
    {
      what: '`account bulk --deactivate --dry-run`',
      run: async () => {
        const words = ['account', 'bulk', ...some, 'active', '--deactivate', '--dry-run'];
        return exactly((await doors.json<Bulk>(...words)).items.length, totals.get('some')!);
      },
    },
    {
      what: '`account bulk --deactivate`',
      run: async () => {
        await doors.cli('account', 'bulk', ...some, 'active', '--deactivate', '--yes');
        return exactly((await listed(...some, 'active')).length, 0);
      },
    },
    {
      what: '`account rotate`',
      run: async () => {
        bot = await doors.json<Made>('account', 'rotate', BOT, '--yes');
        return exactly(bot.account.name, BOT);
      },
    },
    {
      what: '`activity`',
      run: async () => atLeast((await doors.cli('activity', BOT)).trim().split('\n').length, 2),
    },
    {
      what: '`who-can`, the first 100',
      run: async () => {
        const words = ['who-can', CALL.method, CALL.path] as const;
        return atLeast((await doors.json<{ items: readonly object[] }>(...words)).items.length, 1);
      },
    },
    // Some are deactivated by now, of which nothing is advised.
    ...cliQuestions(
      doors,
      { part: totals.get('part')!, old: totals.get('old')! - totals.get('oldSome')! },
      () => bot!,
    ),
    {
      what: '`account list --csv`',
      run: async () =>
        exactly((await doors.cliLines('account', 'list', '--csv')) - 1, totals.get('all')! + OURS),
    },
    {
      what: '`account delete`',
      run: async () => {
        // Of a protected role by now.
        await doors.cli('account', 'delete', BOT, '--yes', '--without-approval');
        return exactly((await listed('--prefix', BOT)).length, 0);
      },
    },
  ];
}
