import { setTimeout as sleep } from 'node:timers/promises';
import type { AdminActor } from '../actor.ts';
import type { Nothing } from '../context.ts';
import { AdminError } from '../error.ts';
import type { Progress, RunState } from '../one-run.ts';

const ASKED_EVERY_MS = 1_000;

export interface ServerRunOptions<Input, Result> {
  readonly start: (actor: AdminActor, input: Input) => Promise<RunState<Result>>;
  readonly state: (actor: AdminActor, input: Nothing) => Promise<RunState<Result>>;
  /** What it is, as a message says it: `verification`. */
  readonly what: string;
}

/** The gate does the work; here it is begun, and its end waited for. */
export function serverRun<Input, Result>({ start, state, what }: ServerRunOptions<Input, Result>) {
  return async (actor: AdminActor, input: Input, progress: Progress = () => {}) => {
    const { running, last } = await start(actor, input);
    const number = running?.number ?? last?.number;
    for (let now = await state(actor, {}); ; now = await state(actor, {})) {
      if (now.running?.number === number) progress(now.running?.events ?? 0, now.running?.of ?? 0);
      else if (now.last?.number === number && now.last?.result) return now.last.result;
      else throw new AdminError('unavailable', faultOf(now, number, what));
      await sleep(ASKED_EVERY_MS);
    }
  };
}

function faultOf<Result>({ last }: RunState<Result>, number: number | undefined, what: string) {
  return last?.number === number && last?.fault
    ? last.fault
    : `the gate knows nothing of this ${what} any more: it was restarted, or somebody else has ` +
        'begun another since; ask again';
}
