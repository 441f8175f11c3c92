import { advise } from '../advice/advise.ts';
import * as trail from '../schemas/trail.ts';
import { replayChange } from '../trail/replay-change.ts';
import { REPLAYED } from './rehearsed.ts';
import { row } from './row.ts';

/**
 * What the record of calls says about rights. All of it needs `sallyport:activity:read` besides.
 */

/** A declaration of roles and teams fits, as where it is applied. */
const REPLAY_BYTES = 4 * 1024 * 1024;

export const TRAIL = {
  advise: row({
    needs: 'sallyport:registry:read',
    input: trail.ADVISE,
    run: advise,
    isLong: true,
    routes: [
      {
        id: 'advise',
        method: 'get',
        path: '/advice',
        tag: 'Advice',
        summary: 'What is granted and was not used?',
        description:
          'Holds what is granted against the recorded calls: permissions, applications, grants and memberships that nobody used, roles that a narrower one could replace, dormant accounts, old tokens, accounts that expire and call. Each with its evidence and a change for review; changes nothing. Needs `sallyport:activity:read` besides. 200,000 events are looked at for one answer: `next` goes on, and findings come with the last answer.',
        answers: { 200: { description: 'What is worth a look.', schema: trail.advice } },
      },
    ],
  }),
  replayChange: row({
    needs: 'sallyport:registry:write',
    input: trail.replayOf(REPLAYED),
    run: replayChange,
    isLong: true,
    routes: [
      {
        id: 'replayChange',
        method: 'post',
        path: '/replay',
        tag: 'Advice',
        summary: 'Which recorded calls would this change have refused or let in?',
        description:
          'Changes nothing, and is refused as the change would be. Needs `sallyport:activity:read` besides. Every recorded call is judged by the registry as it is and as it would be; what a call asked is what its record says, for its route may be another one by now. An expiry that lies ahead refuses none. 200,000 events are looked at for one answer: `next` goes on, and answers for all of them.',
        body: { name: 'ReplayInput', bytes: REPLAY_BYTES },
        answers: { 200: { description: 'What would have come of it.', schema: trail.replay } },
      },
    ],
  }),
} as const;
