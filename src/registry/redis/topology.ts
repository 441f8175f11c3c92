import type { Assurance } from '../members.ts';

/**
 * How long an old primary may go on taking writes after another was made: what
 * `min-replicas-max-lag` bounds, by default 10 s. Without that setting nothing bounds it, which is
 * why the assurance then says so.
 */
const FAILOVER_MARGIN_MS = 10_000;

const STANDALONE: Assurance = { assurance: 'proven', marginMs: 0 };
const UNKNOWN_TOPOLOGY: Assurance = {
  assurance: 'topology-dependent',
  marginMs: FAILOVER_MARGIN_MS,
};

/**
 * From INFO's section on replication. A server that is master, has no replica and keeps no backlog
 * for one has had none for an hour at least: there is nobody who could have taken over from it. An
 * old primary that was cut off looks different for that hour, which is longer than any lease.
 *
 * With replicas no set of settings rules two primaries out for good (a minority with one replica
 * satisfies `min-replicas-to-write`), so that is never called proven.
 */
export function assuranceFrom(info: unknown): Assurance {
  const lines = new Map(
    String(info)
      .split('\r\n')
      .map((line) => line.split(':', 2) as [string, string]),
  );
  const alone =
    lines.get('role') === 'master' &&
    lines.get('connected_slaves') === '0' &&
    lines.get('repl_backlog_active') === '0';
  return alone ? STANDALONE : UNKNOWN_TOPOLOGY;
}
