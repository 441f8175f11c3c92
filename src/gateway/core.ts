import { type GateAssertions, openAssertions } from './assertions.ts';
import type { GateContext, PrepareReload } from './context.ts';
import { type GateDecision, openDecision } from './decision.ts';
import { openRecords, type Records } from './records.ts';
import { type GateRegistry, openRegistry } from './registry.ts';
import { openStores } from './stores/open.ts';
import type { GatewayStores } from './stores/port.ts';

/** What a gate knows, decides by and writes down: all but its ports. */
export interface GateCore {
  readonly stores: GatewayStores;
  readonly registry: GateRegistry;
  readonly records: Records;
  readonly decision: GateDecision;
  readonly assertions: GateAssertions;
  readonly reloads: readonly PrepareReload[];
}

/** Throws `StoreInUse`, `RegistryUnavailable`, `AuditUnavailable`, `CertificateFault`. */
export async function openCore(gate: GateContext): Promise<GateCore> {
  const stores = await openStores(gate);
  const registry = await openRegistry(gate, stores.source);
  // After the replica: the last records are written before the lease is given back.
  const records = openRecords(gate, stores.log);
  const decision = openDecision(gate, registry.replica, stores.quotas);
  const assertions = openAssertions(gate, stores.assertionKeys);
  const reloads = [secretsReload(stores), decision.prepareReload, assertions.prepareReload];
  return { stores, registry, records, decision, assertions, reloads };
}

function secretsReload({ secrets, auditSecrets }: GatewayStores): PrepareReload {
  return ({ store, audit }) => {
    const ready = [
      ...(secrets === null || store.kind !== 'redis' ? [] : [secrets.prepare(store)]),
      ...(auditSecrets === null || audit.store === null ? [] : [auditSecrets.prepare(audit.store)]),
    ];
    return () => {
      for (const replace of ready) replace();
    };
  };
}
