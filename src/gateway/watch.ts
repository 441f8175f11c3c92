import type { GateContext, PrepareReload } from './context.ts';

/** Between two looks at how late the event loop is. */
const LOOK_MS = 100;

/** Begins with what is measured beside the calls, from now until the gate closes. */
export function watchProcess(gate: GateContext): PrepareReload {
  watchLoop(gate);
  const { accounts } = gate.metrics;
  accounts.show(gate.state.config.telemetry.topAccounts);
  return ({ telemetry }) =>
    () =>
      accounts.show(telemetry.topAccounts);
}

/** A timer is due an interval after it was last run: what it is late by, others have waited too. */
function watchLoop({ clock, metrics, owned }: GateContext): void {
  let lastMs = clock.monotonicMs();
  const timer = setInterval(() => {
    const nowMs = clock.monotonicMs();
    metrics.loopDelay(Math.max(0, nowMs - lastMs - LOOK_MS));
    lastMs = nowMs;
  }, LOOK_MS).unref();
  owned.defer(() => clearInterval(timer));
}
