import type { CutPlace } from './signed.ts';

/** A signed word about what retention cuts: what begins later than it says was cut by others. */
export interface Anchor extends CutPlace {
  readonly key: string;
  readonly signature: string;
}

/** What has gone. */
export interface Cut {
  readonly stream: CutPlace['stream'];
  /** Nothing that the store accepted at this time or later, by its clock, in ms since 1970. */
  readonly beforeMs: number;
  readonly count: number;
}

/** Whom retention tells: first what it is going to cut, then what has gone. */
export interface CutWitness {
  sign(stream: CutPlace['stream'], beforeMs: number): Anchor;
  cut(cut: Cut): void;
}
