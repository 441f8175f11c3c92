import { takeOver } from '../config/change.ts';
import type { Config } from '../config/schema.ts';
import { createRouteTable } from '../decision/route-table.ts';
import { turn } from '../turns.ts';
import type { GateContext, PrepareReload } from './context.ts';

/** What takes longest of a reload, ahead of it, in turns of the loop of its own. */
export async function prepareReload({ routes }: Config): Promise<void> {
  await turn();
  createRouteTable(routes);
  await turn();
}

/**
 * Takes over what a running gate can take over. Everything is read before anything is replaced: a
 * certificate that does not fit stops the reload as a whole. Then all is replaced in one turn of
 * the loop, so that no call is decided on by half of a configuration.
 *
 * Throws, and changes nothing, when something does not fit.
 *
 * @param parts in the order in which they were opened: a later one may use what an earlier one has
 * taken over
 */
export function reload(
  { log, metrics, state }: GateContext,
  parts: readonly PrepareReload[],
  given: Config,
): void {
  const next = takeOver(state.config, given);
  const ready = parts.map((prepare) => prepare(next));
  state.config = next;
  for (const replace of ready) replace();
  state.reloadFault = null;
  metrics.reloads.count('applied');
  log.info('the configuration was reloaded');
}

/** Shown in readiness until the next reload succeeds. */
export function reloadRefused({ metrics, state }: GateContext, why: string): void {
  state.reloadFault = why;
  metrics.reloads.count('refused');
}
