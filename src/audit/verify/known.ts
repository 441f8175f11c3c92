import type { InstanceHeads } from './heads.ts';
import type { InstanceCheck } from './instance-check.ts';
import type { MissingNumbers } from './missing.ts';

/** What is known of one instance while its events are read. */
export interface Known {
  readonly check: InstanceCheck;
  readonly heads: InstanceHeads;
  readonly missing: MissingNumbers;
  previous: { instance: string; seq: number; chain: string } | null;
  /** After a chained instance was seen already. */
  lateComer: boolean;
  /** Lines: all, and as of the last time that this was asked. */
  added: number;
  addedBefore: number;
  /** Genuine events: all, from the last link on, and after the last signed head. */
  count: number;
  sinceLink: number;
  sinceHead: number;
}

/** Numbers of which an instance says that no log will hold them. */
export interface Lost {
  readonly first: number;
  readonly last: number;
  readonly reason: string;
  /** Who says it: their own instance, or who took over what it left. */
  readonly by: string;
}

/** Who adopted a head. */
export interface Adoption {
  readonly by: string;
  readonly time: string;
  readonly previous: NonNullable<Known['previous']>;
}
