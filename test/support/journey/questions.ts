import { setTimeout as sleep } from 'node:timers/promises';
import type { Doors } from './doors.ts';
import { JOURNEY } from './model.ts';
import type { Step } from './step.ts';

/** What an administrator asks of an account that calls, and what others must agree to. */

export interface Made {
  readonly account: { readonly id: string; readonly name: string };
  readonly token: string;
}

export const BOT = 'journey-bot';
/** Of the route that its role allows, and of another one. */
const [OPEN, CLOSED] = ['/part-7/x', '/part-8/x'] as const;
const PERMISSION = 'test:part-7';
const CALLS = 3;
/** Gates write down who calls every ten seconds. */
const WRITTEN_MS = 30_000;

interface Replayed {
  readonly refuses: { readonly calls: number };
  readonly next: string | null;
}
interface Advised {
  readonly counts: Readonly<Record<string, number>>;
  readonly next: string | null;
}
interface Top {
  readonly items: readonly { readonly name: string; readonly id: string; readonly calls: number }[];
}
interface Matrix {
  readonly items: readonly {
    readonly account: string;
    readonly cells: readonly { readonly allowed: boolean }[];
  }[];
}
interface Waiting {
  readonly approvals: readonly { readonly id: string }[];
}
interface Shown {
  readonly account: { readonly role: string };
}

/** Calls of the bot: those that are let in, and one that is not, whose id it answers. */
async function calls(doors: Doors, { token }: Made): Promise<string> {
  for (let n = 0; n < CALLS; n += 1) exactly((await doors.through(OPEN, token)).status, 200);
  const { status, id } = await doors.through(CLOSED, token);
  exactly(status, 403);
  return id;
}

export function apiQuestions(doors: Doors, old: number, bot: () => Made): readonly Step[] {
  let refused = '';
  const get = <Body>(path: string) => doors.api<Body>('GET', path, 200);
  return [
    {
      what: 'calls of it, and one that is refused',
      run: async () => {
        refused = await calls(doors, bot());
        return `${CALLS + 1} calls`;
      },
    },
    {
      what: 'the story of the refused one',
      run: async () => {
        const { items } = await get<{ items: readonly { reason?: string }[] }>(
          `/activity/requests/${refused}`,
        );
        return exactly(items.at(-1)?.reason, 'permission-denied');
      },
    },
    {
      what: 'who calls: the top list, once it is written',
      run: () =>
        written(async () => {
          const { items } = await get<Top>('/usage/account?limit=50');
          return exactly(items.find(({ id }) => id === bot().account.id)?.calls, CALLS + 1);
        }),
    },
    {
      what: 'its calls as a graph',
      run: async () => {
        const { items } = await get<{ items: readonly { calls: number }[] }>(
          `/usage/account/${bot().account.id}`,
        );
        const sum = items.reduce((all, { calls: some }) => all + some, 0);
        return exactly(sum, CALLS + 1);
      },
    },
    {
      what: 'replay: what would a lower role have refused?',
      run: async () => {
        const input = { name: BOT, kind: 'service', role: 'none' };
        const answer = await toTheEnd<Replayed>((cursor) =>
          doors.api('POST', '/replay', 200, { operation: 'editAccount', input, cursor }),
        );
        return exactly(answer.refuses.calls, CALLS);
      },
    },
    {
      what: 'advice: old tokens and the rest',
      run: async () => {
        const { counts } = await toTheEnd<Advised>((cursor) =>
          get(`/advice${cursor === null ? '' : `?cursor=${cursor}`}`),
        );
        return exactly(counts['token-old'], old);
      },
    },
    {
      what: 'who has the permission where?',
      run: async () => {
        const asked = new URLSearchParams({ permission: PERMISSION, search: BOT });
        const { items } = await get<Matrix>(`/who-can/matrix?${asked}&application=app-7`);
        return exactly(items[0]?.cells[0]?.allowed, true);
      },
    },
    {
      what: 'a protected role waits for approval, is not approved by who asked, and withdrawn',
      run: async () => {
        const path = `/service-accounts/${bot().account.id}`;
        await doors.api('PATCH', path, 409, { role: JOURNEY.protectedRole });
        const { approvals } = await get<Waiting>('/approvals');
        const id = approvals[0]?.id;
        await doors.api('POST', `/approvals/${id}/approve`, 403, {});
        await doors.api('DELETE', `/approvals/${id}`, 200);
        return exactly((await get<Waiting>('/approvals')).approvals.length, 0);
      },
    },
  ];
}

export function cliQuestions(
  doors: Doors,
  { part, old }: { readonly part: number; readonly old: number },
  bot: () => Made,
): readonly Step[] {
  let refused = '';
  const waiting = async () => (await doors.json<Waiting>('approval', 'list')).approvals;
  return [
    {
      what: '`audit show`',
      run: async () => {
        refused = await calls(doors, bot());
        const { events } = await doors.json<{ events: readonly { reason?: string }[] }>(
          ...['audit', 'show', refused],
        );
        return exactly(events[0]?.reason, 'permission-denied');
      },
    },
    {
      what: '`top --once`, once it is written',
      run: () =>
        written(async () => {
          const { items } = await doors.json<Top>('top', 'accounts', '--once', '--limit', '50');
          return exactly(items.find(({ id }) => id === bot().account.id)?.calls, CALLS + 1);
        }),
    },
    {
      what: '`account edit --replay`',
      run: async () => {
        const words = ['account', 'edit', BOT, '--role', 'none', '--replay', '7d'];
        return exactly((await doors.json<Replayed>(...words)).refuses.calls, CALLS);
      },
    },
    {
      what: '`advise`',
      run: async () => exactly((await doors.json<Advised>('advise')).counts['token-old'], old),
    },
    {
      what: '`who-can --matrix`, of a part of the accounts',
      run: async () => {
        const narrowed = ['--search', '-77', '--application', 'app-7'];
        const lines = await doors.cliLines(
          ...['who-can', '--matrix', PERMISSION, ...narrowed, '--csv'],
        );
        return exactly(lines - 1, part);
      },
    },
    {
      what: '`approval`: a protected role is given once another has approved it',
      run: async () => {
        await doors.refused('account', 'edit', BOT, '--role', JOURNEY.protectedRole, '--yes');
        const [one] = await waiting();
        await doors.refused('approval', 'approve', String(one?.id), '--yes');
        await doors.api('POST', `/approvals/${one?.id}/approve`, 200, {});
        exactly((await waiting()).length, 0);
        const { account } = await doors.json<Shown>('account', 'show', BOT);
        return exactly(account.role, JOURNEY.protectedRole);
      },
    },
  ];
}

/** Asks until the record is read as far back as was asked. */
async function toTheEnd<Answer extends { readonly next: string | null }>(
  ask: (cursor: string | null) => Promise<Answer>,
): Promise<Answer> {
  let answer = await ask(null);
  while (answer.next !== null) answer = await ask(answer.next);
  return answer;
}

/** Looks until it is so, or for as long as that may take. */
async function written(look: () => Promise<string>): Promise<string> {
  for (const beganMs = performance.now(); ; await sleep(1_000))
    try {
      return await look();
    } catch (error) {
      if (performance.now() - beganMs > WRITTEN_MS) throw error;
    }
}

export function exactly<T extends string | number | boolean | undefined>(
  found: T,
  expected: T,
): string {
  if (found !== expected) throw new Error(`found ${found}, and not ${expected}`);
  return String(found);
}

export function atLeast(found: number, least: number): string {
  if (found < least) throw new Error(`found ${found}, and not ${least} or more`);
  return String(found);
}
