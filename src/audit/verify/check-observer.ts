import type { Finding } from './finding.ts';
import type { MissingRange } from './missing.ts';
import type { Numbered } from './region.ts';

/** What a check says while it reads. */
export interface CheckObserver {
  found(finding: Finding): void;
  /** Every genuine event, in order, once. */
  accepted(line: Numbered): void;
  /** Numbers that are not there. Whether something excuses it is known at the end. */
  missing(instance: string, range: MissingRange): void;
  /** An event that was counted as missing has come after all. */
  cameLate(instance: string, seq: number): boolean;
}

/** A segment without its beginning: its link can say nothing of what is left. */
export interface BrokenSegment {
  readonly firstSeq: number;
  readonly lastSeq: number;
}
