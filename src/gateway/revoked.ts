import type { Config } from '../config/schema.ts';
import { type Remembered, readRevoked } from '../registry/revoked/file.ts';
import { type Knowing, RevokedKeeper } from '../registry/revoked/keeper.ts';
import type { Log } from '../telemetry/log.ts';
import { type GateContext, own } from './context.ts';

/** What the last run saw revoked; null: nothing, or it cannot be used, which the log says. */
export function rememberedRevoked(config: Config, log: Log): Remembered | null {
  try {
    return readRevoked(config.instance.dataDir, config.store.kind);
  } catch (error) {
    log.error('what the last run saw revoked cannot be read: only the store tells of it', {
      error,
    });
    return null;
  }
}

/** From now on what is seen revoked is written down, for the next start. */
export function keepRevoked(gate: GateContext, knowing: Knowing): void {
  const { instance, store } = gate.state.config;
  own(
    gate,
    new RevokedKeeper({
      folder: instance.dataDir,
      store: store.kind,
      knowing,
      onFault: (error) =>
        gate.log.warn('what was seen revoked could not be written down', { error }),
    }),
  );
}
