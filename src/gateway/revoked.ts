import type { Config } from '../config/schema.ts';
import { type Remembered, readRevoked } from '../registry/revoked/file.ts';
import { type Knowing, RevokedKeeper } from '../registry/revoked/keeper.ts';
import type { Log } from '../telemetry/log.ts';

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

export function keepRevoked(config: Config, log: Log, knowing: Knowing): RevokedKeeper {
  return new RevokedKeeper({
    folder: config.instance.dataDir,
    store: config.store.kind,
    knowing,
    onFault: (error) => log.warn('what was seen revoked could not be written down', { error }),
  });
}
