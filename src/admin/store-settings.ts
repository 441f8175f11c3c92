import type { EmbeddedAuditOptions } from '../audit/log/embedded/log.ts';
import type { Clock } from '../clock.ts';
import type { Config, RedisStoreConfig } from '../config/schema.ts';
import type { RedisSettings } from '../store/redis.ts';
import { loadClientMaterial } from '../tls/client-material.ts';

export function auditLimits(
  config: Config,
): Pick<EmbeddedAuditOptions, 'retention' | 'activityPerAccount'> {
  const { retention, activityPerAccount } = config.audit;
  return { retention, activityPerAccount };
}

/**
 * The connection that a configuration asks for. `name` is what `CLIENT LIST` shows. Throws
 * `CertificateFault` for PEM files that do not serve.
 */
export function redisSettings(config: RedisStoreConfig, name: string, clock: Clock): RedisSettings {
  const { url, sentinels, cluster, username, password, tls } = config;
  const common = {
    username,
    password: password?.reveal() ?? null,
    name,
    tls: tls === null ? null : loadClientMaterial(tls, clock.wallMs()),
  };
  if (url !== null) return { ...common, url };
  if (cluster !== null) return { ...common, cluster };
  if (sentinels === null) throw new TypeError('a Redis is named by url, sentinels or cluster');
  const { name: primary, addresses, username: user, password: secret } = sentinels;
  const place = {
    primary,
    addresses,
    username: user,
    password: secret?.reveal() ?? null,
    tls: sentinels.tls,
  };
  return { ...common, sentinels: place };
}
