import type { Known } from './known.ts';
import type { Front, Settling } from './settling.ts';
import type { Witnesses } from './witnesses.ts';

/** What was looked at, and what of it a chain proves. */
export interface Summary {
  readonly events: number;
  readonly instances: number;
  readonly gaps: number;
  readonly edits: number;
  /** Events of instances that write no chain: only their numbers were looked at. */
  readonly unchained: number;
  /** After the last link of their instance: no chain speaks of them yet. */
  readonly uncovered: number;
  /** After the last signed head of their instance: no key vouches for them, whatever they say. */
  readonly unsigned: number;
  /** In segments of which something is missing: what is left of them cannot be proved. */
  readonly unproven: number;
  readonly heads: number;
  /** Heads whose key is not in the part that was read, and in no trust file. */
  readonly unverified: number;
  readonly witnessed: number;
  readonly unwitnessed: number;
  /** Vouched for and not there: retention may have cut them, or they are not in what was read. */
  readonly goneOutcomes: number;
  /** Administrative changes: they are not of an instance's chain. */
  readonly changes: number;
  /** Numbers that are not in a spool: the store has them, or nobody does. */
  readonly elsewhere: number;
  readonly trusted: boolean;
  /** Instances whose oldest events are not there, and nothing signed says that they were cut. */
  readonly unanchored: number;
  /** The first `FRONTS_MOST` of those. */
  readonly fronts: readonly Front[];
  /** Where a log was cut, up to the next link: nothing says that they are what was written. */
  readonly unhashed: number;
  /** Went while the log was read, and an anchor of that time accounts for them. */
  readonly goneMeanwhile: number;
  /** Retention says that it has cut what was accepted before, in one stream at least. */
  readonly trimmedBefore: string | null;
}

interface Read
  extends Pick<
    Summary,
    'events' | 'gaps' | 'edits' | 'changes' | 'elsewhere' | 'trusted' | 'trimmedBefore'
  > {
  readonly instances: readonly Known[];
  readonly witnesses: Pick<Witnesses, 'witnessed' | 'unwitnessed' | 'gone'>;
  readonly settling: Pick<Settling, 'unanchored' | 'fronts' | 'goneMeanwhile'>;
}

/** Of all that has been read, at its end. */
export function summaryOf({ instances, witnesses, settling, ...read }: Read): Summary {
  const sum = (one: (known: Known) => number) =>
    instances.reduce((total, known) => total + one(known), 0);
  const { unanchored, fronts, goneMeanwhile } = settling;
  return {
    events: read.events,
    instances: instances.length,
    gaps: read.gaps,
    edits: read.edits,
    unchained: sum(({ check, count }) => (check.chained ? 0 : count)),
    uncovered: sum(({ check, sinceLink }) => (check.chained ? sinceLink : 0)),
    unsigned: sum(({ check, sinceHead }) => (check.chained ? sinceHead : 0)),
    unproven: sum(({ check }) => check.unproven),
    heads: sum(({ heads }) => heads.signed),
    unverified: sum(({ heads }) => heads.unverified),
    witnessed: witnesses.witnessed,
    unwitnessed: witnesses.unwitnessed,
    goneOutcomes: witnesses.gone,
    changes: read.changes,
    elsewhere: read.elsewhere,
    trusted: read.trusted,
    unanchored,
    fronts,
    unhashed: sum(({ check: { broken } }) =>
      broken === null ? 0 : broken.lastSeq - broken.firstSeq + 1,
    ),
    goneMeanwhile,
    trimmedBefore: read.trimmedBefore,
  };
}
