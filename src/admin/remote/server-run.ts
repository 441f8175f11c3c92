import { setTimeout as sleep } from 'node:timers/promises';
import type { AdminActor } from '../actor.ts';
import { AdminError } from '../error.ts';
import type { Progress, RunState } from '../one-run.ts';
import type { ApiClient } from './api-client.ts';

const ASKED_EVERY_MS = 1_000;

export interface ServerRunOptions<Input> {
  readonly path: string;
  /** What begins it. */
  readonly bodyOf: (input: Input) => object;
  /** What it is, as a message says it: `verification`. */
  readonly what: string;
}

/** The gate does the work; here it is begun, and its end waited for. */
export function serverRun<Input, Result>(
  client: ApiClient,
  { path, bodyOf, what }: ServerRunOptions<Input>,
) {
  const state = () => client.ask<RunState<Result>>({ method: 'GET', path });
  const start = (_actor: AdminActor, input: Input) =>
    client.ask<RunState<Result>>({ method: 'POST', path, body: bodyOf(input) });
  return {
    state,
    start,
    run: async (actor: AdminActor, input: Input, progress: Progress = () => {}) => {
      const { running, last } = await start(actor, input);
      const number = running?.number ?? last?.number;
      for (let now = await state(); ; now = await state()) {
        if (now.running?.number === number)
          progress(now.running?.events ?? 0, now.running?.of ?? 0);
        else if (now.last?.number === number && now.last?.result) return now.last.result;
        else throw new AdminError('unavailable', faultOf(now, number, what));
        await sleep(ASKED_EVERY_MS);
      }
    },
  };
}

function faultOf<Result>({ last }: RunState<Result>, number: number | undefined, what: string) {
  return last?.number === number && last?.fault
    ? last.fault
    : `the gate knows nothing of this ${what} any more: it was restarted, or somebody else has ` +
        'begun another since; ask again';
}
