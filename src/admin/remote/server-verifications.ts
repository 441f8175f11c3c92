import { setTimeout as sleep } from 'node:timers/promises';
import { AdminError } from '../error.ts';
import type { AuditVerifications, VerificationState } from '../verifications.ts';
import type { ApiClient } from './api-client.ts';

const PATH = '/audit/verification';
const ASKED_EVERY_MS = 1_000;

/** The gate verifies; here it is begun, and its end waited for. */
export function serverVerifications(client: ApiClient): AuditVerifications {
  const state = () => client.ask<VerificationState>({ method: 'GET', path: PATH });
  const start: AuditVerifications['start'] = (_actor, { trust = null }) =>
    client.ask<VerificationState>({
      method: 'POST',
      path: PATH,
      body: trust === null ? {} : { trust },
    });
  return {
    state,
    start,
    run: async (actor, input, progress = () => {}) => {
      const { running, last } = await start(actor, input);
      const number = running?.number ?? last?.number;
      for (let now = await state(); ; now = await state()) {
        if (now.running?.number === number)
          progress(now.running?.events ?? 0, now.running?.of ?? 0);
        else if (now.last?.number === number && now.last?.result) return now.last.result;
        else throw new AdminError('unavailable', faultOf(now, number));
        await sleep(ASKED_EVERY_MS);
      }
    },
  };
}

function faultOf({ last }: VerificationState, number: number | undefined): string {
  return last?.number === number && last?.fault
    ? last.fault
    : 'the gate knows nothing of this verification any more: it was restarted, or somebody else ' +
        'has verified since; ask again';
}
