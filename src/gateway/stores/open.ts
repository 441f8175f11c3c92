import type { GateContext } from '../context.ts';
import { openEmbeddedStores } from './embedded.ts';
import type { GatewayStores } from './port.ts';
import { openRedisStores } from './redis.ts';

/**
 * Opens the stores of a configuration. Redis need not be there: connections are made in the
 * background, and until then nothing is served. Throws `StoreInUse` when another process owns the
 * embedded store.
 */
export async function openStores(gate: GateContext): Promise<GatewayStores> {
  const { store } = gate.state.config;
  return store.kind === 'redis' ? openRedisStores(gate, store) : openEmbeddedStores(gate);
}
