import type { AdminActor } from '../actor.ts';
import type { TrailFold } from './fold.ts';

/** Why the record does not reach back as far as was asked. */
export type CutShort =
  /** More is still to be read: the answer says where to go on. */
  | 'unread'
  /** More kinds of calls than are kept. */
  | 'too-many-kinds'
  /** The store has cut it off, or has held nothing before. */
  | 'not-held';

/** What was looked at. All times ISO 8601, UTC. */
export interface TrailWindow {
  /** From when on was asked. */
  readonly since: string;
  /** From when on the record was looked at. */
  readonly from: string;
  /** When it was begun to be looked at. */
  readonly until: string;
  /** Null: all that was asked for was looked at. */
  readonly cutShort: CutShort | null;
  /** Events looked at, outcomes and changes among them. */
  readonly examined: number;
  /** Calls whose decisions they are. */
  readonly calls: number;
  /** Recorded decisions that this version cannot read: nothing is known of them. */
  readonly unreadable: number;
}

export interface TrailQuery {
  /** So many days back from now. */
  readonly days: number;
  /** `next` of an answer: goes on where that ended, and answers for all of it. */
  readonly cursor?: string | null | undefined;
}

export interface Trail {
  readonly fold: TrailFold;
  readonly window: TrailWindow;
  /** Where it goes on; null: that was all. */
  readonly next: string | null;
}

/** What administration reads of the record of calls. */
export interface TrailSource {
  /**
   * Reads the recorded decisions back to a moment, or so many more of them: what was read before is
   * kept, so that each answer is for all that was. One reading at a time. Throws `AdminError`:
   * `invalid` for a cursor that is not known here, `conflict` where too many wait or read on,
   * `unavailable` where the actor has left: the cursor they came with stays good.
   */
  read(query: TrailQuery, actor: Pick<AdminActor, 'left'>): Promise<Trail>;
}
