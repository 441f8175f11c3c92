import { setTimeout as sleep } from 'node:timers/promises';
import type { Followed } from '../activity.ts';
import { administrationOf } from '../administration.ts';
import type { Control } from '../control.ts';
import { AdminError } from '../error.ts';
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
  const administration = administrationOf(
    (name) => async (_actor, input) => askFor(client, name, Object(input ?? {}) as object),
  );
  const control: Control = {
    administration,
    follow: (_actor, query, signal) => follow(client, query, signal),
    verification: {
      run: serverRun({
        start: administration.startVerification,
        state: administration.verificationState,
        what: 'verification',
      }),
      follow: refusedFromAfar,
    },
    reindexing: {
      run: serverRun({
        start: administration.startReindex,
        state: administration.reindexState,
        what: 'rebuild of activity logs',
      }),
    },
  };
  return { control, close: () => client.close() };
}

type FollowQuery = Parameters<Control['follow']>[1];

/**
 * A stream that breaks off is taken up again where it ended; so many times in a row without a
 * single event, and then no more.
 */
const RECONNECT = { attempts: 5, pauseMs: 1_000 } as const;

async function* follow(
  client: ApiClient,
  { account, limit }: FollowQuery,
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
