import { lapsing } from '../admin/approvals/expire.ts';
import type { AdminContext } from '../admin/context.ts';
import { systemNames } from '../names/system.ts';
import { packageVersion } from '../telemetry/metrics.ts';
import { createDesk } from '../webhooks/desk.ts';
import { ExpiryWarnings } from '../webhooks/expiries.ts';
import { hooksOf } from '../webhooks/hooks.ts';
import type { Hook } from '../webhooks/port.ts';
import { Sender } from '../webhooks/sender.ts';
import { createEventSource } from '../webhooks/source.ts';
import { Webhooks } from '../webhooks/webhooks.ts';
import { type GateContext, own, type PrepareReload } from './context.ts';
import type { Records } from './records.ts';
import type { ManagedStores } from './stores/port.ts';

/** What one instance of all does beside its gate's work: it tells others of events. */
export interface GateWebhooks {
  readonly desk: NonNullable<AdminContext['webhooks']>;
  readonly prepareReload: PrepareReload;
}

/** Of an instance that may change the registry. Throws `CertificateFault`. */
export function openWebhooks(
  gate: GateContext,
  managed: ManagedStores,
  { notify }: Records,
): GateWebhooks {
  const { clock, instance, log, metrics, state } = gate;
  const { store: registry, audit, webhooks: store } = managed;
  const version = packageVersion();
  const days = state.config.registry.expiryWarningDays;
  const expiries = new ExpiryWarnings({ days, registry, store, clock, notify, log });
  const lapse = lapsing({ store: registry, clock, instance });
  metrics.connect({ accountsExpiring: () => expiries.expiring });
  const senderOf = (hook: Hook) => new Sender(hook, systemNames.lookup, version);
  const webhooks = new Webhooks({
    instance,
    store,
    source: createEventSource(registry, audit),
    senderOf,
    clock,
    count: (hook, result) => metrics.webhooks(hook, result),
    log,
    leading: {
      look: async () => {
        await lapse();
        await expiries.look();
      },
      rest: () => expiries.rest(),
    },
  });
  webhooks.configure(hooksOf(state.config));
  own(gate, webhooks);
  return {
    desk: createDesk({ hooks: () => webhooks.hooks, senderOf, clock }),
    prepareReload: (next) => {
      const hooks = hooksOf(next);
      return () => webhooks.configure(hooks);
    },
  };
}
