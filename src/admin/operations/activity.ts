import type { AccountRef } from '../accounts.ts';
import { type ActivityPage, type ActivityPageQuery, pageActivity } from '../activity-page.ts';
import * as questions from '../schemas/questions.ts';
import * as recorded from '../schemas/record-answers.ts';
import { eventIn, lineOf } from '../story.ts';
import { type Route, row } from './row.ts';

/**
 * The log of calls and changes. It is one list, and three routes say it: of everybody or of one by
 * name, of an account by its id, and as it is stored. Who follows it is answered bit by bit, and so
 * beside this table (`Control`, `/activity/stream`).
 */

type Query = Omit<ActivityPageQuery, 'account' | 'everything'>;
interface Lines extends Query {
  readonly account?: string;
  readonly accountId?: string;
}

const byName = (name: string | undefined): AccountRef | null =>
  name === undefined ? null : { name };

const ofAll: NonNullable<Route['saying']> = {
  shape: questions.ACTIVITY_OF_ALL,
  taken: ({ account, ...query }: Omit<Lines, 'accountId'>) => ({
    account: byName(account),
    ...query,
  }),
  said: ({ account, everything = false, ...query }: ActivityPageQuery) =>
    everything || account?.id !== undefined ? null : { ...query, account: account?.name },
};

const ofOne: NonNullable<Route['saying']> = {
  shape: questions.ACTIVITY_OF_ONE,
  taken: ({ id, ...query }: Query & { readonly id: string }) => ({ account: { id }, ...query }),
  said: ({ account, everything = false, ...query }: ActivityPageQuery) =>
    everything || account?.id === undefined ? null : { ...query, id: account.id },
};

const asStored: NonNullable<Route['saying']> = {
  shape: questions.ACTIVITY_LINES,
  taken: ({ account, accountId, ...query }: Lines) => ({
    account: accountId === undefined ? byName(account) : { id: accountId },
    ...query,
    everything: true,
  }),
  said: ({ account, everything = false, ...query }: ActivityPageQuery) =>
    everything ? { ...query, account: account?.name, accountId: account?.id } : null,
};

/** Events are told as such, and read back as the lines that they are. */
const asEvents = {
  answers: { 200: { description: 'One page.', schema: recorded.eventPage } },
  tell: ({ items, ...page }: ActivityPage) => ({ items: items.map(eventIn), ...page }),
  told: ({ items, ...page }: ActivityPage) => ({ items: items.map(lineOf), ...page }),
} as const;

export const ACTIVITY = {
  activityPage: row({
    needs: 'sallyport:activity:read',
    input: questions.ACTIVITY_PAGE,
    run: pageActivity,
    routes: [
      {
        id: 'listActivity',
        method: 'get',
        path: '/activity',
        tag: 'Activity',
        summary: 'Calls and changes, newest first',
        description:
          'Of everybody, or of one account by name. `/activity/stream` (server-sent events) goes on from there.',
        saying: ofAll,
        ...asEvents,
        csv: 'activity',
      },
      {
        id: 'listActivityLines',
        method: 'get',
        path: '/activity/lines',
        tag: 'Activity',
        summary: 'The record as it is stored, newest first',
        description:
          'For exports and proofs: each item is the text of one event, byte for byte, also of those that this version cannot read and those that `/activity` leaves out (`chain-head`). Of an account it is all that the record has of it.',
        saying: asStored,
        answers: { 200: { description: 'One page.', schema: recorded.linePage } },
        csv: 'activity',
      },
      {
        id: 'listServiceAccountActivity',
        method: 'get',
        path: '/service-accounts/{id}/activity',
        tag: 'Service Accounts',
        summary: 'What an account did, and what was done to it, newest first',
        description: 'Also of an account that was deleted.',
        saying: ofOne,
        ...asEvents,
        csv: 'activity',
      },
    ],
  }),
} as const;
