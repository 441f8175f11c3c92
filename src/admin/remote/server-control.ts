import { setTimeout as sleep } from 'node:timers/promises';
import { withVisibleEscapes } from '../../audit/event/text.ts';
import type { Followed } from '../activity.ts';
import type { ActivityPage } from '../activity-page.ts';
import { administrationOf } from '../administration.ts';
import type { Control } from '../control.ts';
import { AdminError } from '../error.ts';
import type { AuditReindexed, AuditReindexInput } from '../reindexing.ts';
import type { AuditVerification, AuditVerifyInput } from '../verify-audit.ts';
import { ApiClient, type ApiClientOptions } from './api-client.ts';
import { serverEvents } from './event-source.ts';
import { askFor, refusedFromAfar } from './server-operations.ts';
import { serverRun } from './server-run.ts';

/**
 * A running gate's `Control`, reached through its admin API. Who acts is the token's account,
 * whoever the caller names.
 */
export interface ServerControl {
  readonly control: Control;
  close(): void;
}

export function connectServer(options: ApiClientOptions): ServerControl {
  const client = new ApiClient(options);
  const control: Control = {
    administration: administrationOf(
      (name) => async (_actor, input) => askFor(client, name, Object(input ?? {}) as object),
    ),
    activity: (_actor, query) => newestEvents(client, query),
    activityPage: (_actor, query) => eventPage(client, query),
    follow: (_actor, query, signal) => follow(client, query, signal),
    verification: {
      ...serverRun<AuditVerifyInput, AuditVerification>(client, {
        path: '/audit/verification',
        bodyOf: ({ trust = null }) => (trust === null ? {} : { trust }),
        what: 'verification',
      }),
      follow: refusedFromAfar,
    },
    reindexing: serverRun<AuditReindexInput, AuditReindexed>(client, {
      path: '/audit/reindex',
      bodyOf: ({ account }) => (account === null ? {} : { account }),
      what: 'rebuild of activity logs',
    }),
    registry: {
      identify: refusedFromAfar,
      init: refusedFromAfar,
      adopt: refusedFromAfar,
      verify: refusedFromAfar,
    },
  };
  return { control, close: () => client.close() };
}

type ActivityQuery = Parameters<Control['activity']>[1];
type PageQuery = Parameters<Control['activityPage']>[1];

async function eventPage(
  client: ApiClient,
  { account, everything = false, ...query }: PageQuery,
): Promise<ActivityPage> {
  if (everything) {
    const whose = { account: account?.name, accountId: account?.id };
    const path = '/activity/lines';
    return client.ask<ActivityPage>({ method: 'GET', path, query: { ...query, ...whose } });
  }
  const path =
    account?.id === undefined
      ? '/activity'
      : `/service-accounts/${encodeURIComponent(account.id)}/activity`;
  const { items, ...told } = await client.ask<
    Omit<ActivityPage, 'items'> & { readonly items: readonly unknown[] }
  >({
    method: 'GET',
    path,
    query: { ...query, ...(account?.name === undefined ? {} : { account: account.name }) },
  });
  return { items: linesOf(items), ...told };
}

function linesOf(events: readonly unknown[]): readonly string[] {
  return events.map((event) => withVisibleEscapes(JSON.stringify(event)));
}

const PAGE_MOST = 500;

/** Oldest first, as who reads a terminal wants it. */
async function newestEvents(
  client: ApiClient,
  { account, limit = 50 }: ActivityQuery,
): Promise<readonly string[]> {
  const events: string[] = [];
  let cursor: string | null = null;
  do {
    const page: ActivityPage = await eventPage(client, {
      account,
      cursor,
      limit: Math.min(PAGE_MOST, limit - events.length),
    });
    events.push(...page.items);
    cursor = page.next;
  } while (cursor !== null && events.length < limit);
  return events.reverse();
}

/**
 * A stream that breaks off is taken up again where it ended; so many times in a row without a
 * single event, and then no more.
 */
const RECONNECT = { attempts: 5, pauseMs: 1_000 } as const;

async function* follow(
  client: ApiClient,
  { account, limit }: ActivityQuery,
  signal: AbortSignal,
): AsyncGenerator<Followed> {
  let last = '';
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      const query = { account: account?.name, limit: last === '' ? limit : undefined };
      const headers = last === '' ? {} : { 'last-event-id': last };
      const stream = await client.open(
        { method: 'GET', path: '/activity/stream', query, headers },
        signal,
      );
      for await (const { type, data, id } of serverEvents(stream)) {
        failures = 0;
        if (id !== '') last = id;
        if (type === 'skipped') yield { skipped: true };
        else if (type === 'activity') yield { event: data };
      }
    } catch (error) {
      if (signal.aborted) return;
      const mayPass = !(error instanceof AdminError) || error.code === 'unavailable';
      if (!mayPass || last === '' || failures >= RECONNECT.attempts) throw asUnavailable(error);
    }
    await sleep(RECONNECT.pauseMs, undefined, { signal }).catch(() => {});
  }
}

function asUnavailable(error: unknown): AdminError {
  if (error instanceof AdminError) return error;
  return new AdminError('unavailable', 'the stream of events broke off: follow it again', {
    cause: error,
  });
}
