import { type CallsMade, keepCalling } from './callers.ts';
import { holds } from './programs.ts';
import { startWorld } from './world.ts';

export interface RestartsOptions {
  /** In each, every service and every gate is restarted once. */
  readonly rounds: number;
  /** Connections at each front. */
  readonly callers: number;
  /** Of all callers together. */
  readonly callsPerSecond: number;
}

export interface RestartsResult {
  readonly made: CallsMade;
  readonly restarts: { readonly gates: number; readonly services: number };
  /** Of the gates that ended. */
  readonly codes: readonly (number | null)[];
}

/**
 * Rolling restarts of services and of gates behind HAProxy (HTTP and TCP), one after the other,
 * while clients call.
 */
export async function restartAll(options: RestartsOptions): Promise<RestartsResult> {
  const world = await startWorld();
  try {
    const { gates, services, fronts } = world;
    const calling = keepCalling({
      ...world,
      ...options,
      fronts: ['tcpFront', 'httpFront'],
      posts: true,
    });
    const codes: (number | null)[] = [];
    const restarts = { gates: 0, services: 0 };
    for (let round = 0; round < options.rounds; round += 1) {
      for (const service of services) {
        await service.restart();
        restarts.services += 1;
      }
      for (const gate of gates) {
        codes.push(await gate.restart());
        restarts.gates += 1;
        await holds('HAProxy has found the gate', () => fronts.up());
      }
    }
    return { made: await calling.end(), restarts, codes };
  } finally {
    await world.stop();
  }
}
