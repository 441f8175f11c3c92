import { type Check, checkOf } from '../ops/readiness.ts';
import type { GateContext } from './context.ts';
import type { GateCore } from './core.ts';
import type { UpstreamSet } from './upstream-set.ts';
import { upstreamsResult } from './upstreams.ts';

/** Why a secret whose file has changed is not in use yet; null when it is. */
export type PendingSecret = () => string | null;

/**
 * The checks of `/readyz`, in the order in which it shows them.
 *
 * @param admin null: there is no admin listener
 * @param pending read at each check: parts with secrets that open later add to it
 */
export function checksOf(
  { state }: GateContext,
  { registry, records, assertions }: Pick<GateCore, 'registry' | 'records' | 'assertions'>,
  upstreams: UpstreamSet,
  admin: { result: Check['result'] } | null,
  pending: readonly PendingSecret[],
): readonly Check[] {
  const { replica } = registry;
  return [
    checkOf('draining', () => (state.draining ? 'the gate is shutting down' : null)),
    checkOf('registry', () => replica.status().why),
    { name: 'audit', result: () => auditResult(records) },
    assertions.check,
    { name: 'upstreams', result: () => upstreamsResult(upstreams.upstreams) },
    ...(admin === null ? [] : [{ name: 'admin', result: () => admin.result() }]),
    { name: 'secrets', result: () => warning(allOf(pending)) },
    { name: 'config', result: () => warning(state.reloadFault) },
  ];
}

/** The spool stands in for a store that is away: calls go on. */
function auditResult({ outbox, problem, spool }: GateCore['records']): ReturnType<Check['result']> {
  if (!outbox.healthy)
    return {
      state: 'failed',
      why: `the audit log takes no records${problem === null ? '' : `: ${problem}`}`,
    };
  const away = spool?.problem ?? null;
  const whys = [
    ...(away === null ? [] : [`records go to the local spool: ${away}`]),
    ...(spool?.unreadable == null ? [] : [spool.unreadable]),
  ];
  return warning(whys.length === 0 ? null : whys.join('; '));
}

function allOf(pending: readonly PendingSecret[]): string | null {
  const all = pending.flatMap((why) => why() ?? []).sort();
  return all.length === 0 ? null : all.join('; ');
}

function warning(why: string | null): ReturnType<Check['result']> {
  return why === null ? { state: 'ok' } : { state: 'warning', why };
}
