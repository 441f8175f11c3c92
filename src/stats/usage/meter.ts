import { DURATION_BOUNDS } from '../../telemetry/request-meter.ts';
import { UsageSketch } from './sketch.ts';
import { KEPT, NO_ACCOUNT, type Subject } from './table.ts';

/** What is counted of a call that has ended. */
export interface UsedCall {
  readonly route: { readonly name: string } | null;
  readonly application: string | null;
  /** Of the caller, once its token is proven. */
  readonly accountId: string | null;
  readonly account: string | null;
  readonly reason: string;
  readonly durationMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

export type UsageSketches = Readonly<Record<Subject, UsageSketch>>;

const BOUNDS_MS = Float64Array.from(DURATION_BOUNDS, (seconds) => seconds * 1000);

/**
 * Names of applications that are counted: what is longer is none that an account could be given.
 */
const APPLICATION_MOST = 64;

/** Counts calls by who makes them and what they are about. On the way of every call. */
export class UsageMeter {
  #sketches = newSketches();

  count(call: UsedCall): void {
    const { route, accountId, application, requestBytes, responseBytes } = call;
    const refused = isRefusal(call.reason);
    const bucket = bucketOf(call.durationMs);
    const sketches = this.#sketches;
    if (route !== null)
      sketches.route.count(route.name, route.name, refused, requestBytes, responseBytes, bucket);
    const id = accountId ?? NO_ACCOUNT.id;
    const name = accountId === null ? NO_ACCOUNT.name : (call.account ?? accountId);
    sketches.account.count(id, name, refused, requestBytes, responseBytes, bucket);
    // What strangers make up must not push out what callers use.
    if (accountId === null) return;
    if (application !== null && application.length <= APPLICATION_MOST)
      sketches.application.count(
        application,
        application,
        refused,
        requestBytes,
        responseBytes,
        bucket,
      );
  }

  /** What was counted so far, which goes on growing. */
  get sketches(): UsageSketches {
    return this.#sketches;
  }

  /** Begins anew, and hands out what was counted. */
  take(): UsageSketches {
    const taken = this.#sketches;
    this.#sketches = newSketches();
    return taken;
  }
}

function newSketches(): UsageSketches {
  return {
    account: new UsageSketch(KEPT.account),
    application: new UsageSketch(KEPT.application, true),
    route: new UsageSketch(KEPT.route),
  };
}

/** What ended badly after it was let in counts too; what its client gave up does not. */
function isRefusal(reason: string): boolean {
  return reason !== 'permitted' && reason !== 'client-aborted' && reason !== 'outcome-unknown';
}

function bucketOf(durationMs: number): number {
  let bucket = 0;
  while (bucket < BOUNDS_MS.length && durationMs > (BOUNDS_MS[bucket] as number)) bucket += 1;
  return bucket;
}
