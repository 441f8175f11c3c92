import type { AuditStage, Durability } from '../../support/truth/audit-stage.ts';
import type { AuditStore } from '../../support/truth/stores.ts';

/** What comes of the same seed is the same choice of moments. */
export type Random = () => number;

/** Something that goes wrong while calls are made. */
export interface AuditScene {
  readonly name: string;
  readonly stores: readonly AuditStore[];
  /** Default: all. */
  readonly durabilities?: readonly Durability[];
  /** In ms; default 120,000, so that accounts stay known and the record alone is away. */
  readonly leaseMs?: number;
  /** Further keys of `audit` in the configuration. */
  readonly audit?: Readonly<Record<string, unknown>>;
  /**
   * What is taken away that had been accepted: of the store (what is in no spool is lost then), or
   * of both. What is lost is counted.
   */
  readonly takes?: 'the store’s' | 'both';
  /** Metrics go with their instance: what they say is not compared. */
  readonly takesMetrics?: true;
  /** The last events of an instance that has gone may be lost with it, and leave no hole. */
  readonly losesEnds?: true;
  /** Processes of each gate. Default: one. */
  readonly workers?: number;
  /** Ends with what was broken whole again. */
  play(stage: AuditStage, random: Random, runs: number): Promise<void>;
}
