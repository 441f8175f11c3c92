import type { Config, UpstreamConfig } from '../config/schema.ts';
import { upstreamFieldRules } from '../forwarding/field-rules.ts';
import type { Upstream } from '../forwarding/upstream.ts';
import { UpstreamShares } from '../forwarding/upstream-shares.ts';
import { systemNames } from '../names/system.ts';
import type { CheckResult } from '../ops/readiness.ts';
import type { Log } from '../telemetry/log.ts';
import type { AddressUse, ConnectionCount } from '../telemetry/metrics.ts';
import { clientContext, loadClientMaterial } from '../tls/client-material.ts';
import type { Deadlines } from '../wire/deadlines.ts';
import type { DescriptorBudget } from '../wire/descriptors.ts';
import type { UpstreamAddress, UpstreamTls } from '../wire/dialer.ts';
import { UpstreamPool } from '../wire/upstream-pool.ts';

/**
 * The upstreams of a configuration, each with its pool. Throws `CertificateFault` for PEM files
 * that do not serve.
 */
export function openUpstreams(
  config: Config,
  deadlines: Deadlines,
  nowMs: number,
  budget: DescriptorBudget,
  log: Log,
): ReadonlyMap<string, Upstream> {
  return new Map(
    config.upstreams.map((upstream) => [
      upstream.name,
      openUpstream(upstream, config.routes, config.limits, deadlines, nowMs, budget, log),
    ]),
  );
}

function openUpstream(
  config: UpstreamConfig,
  routes: Config['routes'],
  limits: Config['limits'],
  deadlines: Deadlines,
  nowMs: number,
  budget: DescriptorBudget,
  log: Log,
): Upstream {
  const {
    name,
    connectTimeoutMs,
    responseTimeoutMs,
    maxConnections,
    addresses,
    ejection,
    healthCheck,
  } = config;
  const { host, port, secure } = addresses[0]!;
  const authority = authorityOf(host, port, secure);
  const ofRoutes = routes.filter((route) => route.upstream === name);
  const fields = upstreamFieldRules(config.headers, ofRoutes);
  const pool = new UpstreamPool(
    {
      addresses,
      tls: secure ? tlsOf(config, nowMs) : null,
      maxConnections,
      maxConnectionAgeMs: config.maxConnectionAgeMs,
      names: systemNames,
      budget,
      moved: (address, to, from) =>
        log.info('the name of an upstream has other addresses', {
          upstream: name,
          name: address.host,
          addresses: to.join(' '),
          before: from.join(' '),
        }),
      connectTimeoutMs,
      responseTimeoutMs,
      ejection,
      healthCheck,
      checkHost: (address) =>
        config.host === 'preserve' || config.host === 'upstream'
          ? authorityOf(address.host, address.port, secure)
          : config.host,
      checkFields: () => fields?.own?.text ?? '',
      healthChanged: (address, change, why) => {
        const level = change === 'back' || change === 'healthy' ? 'info' : 'warn';
        log[level](HEALTH_WORDS[change], { upstream: name, address: nameOf(address), why });
      },
    },
    deadlines,
  );
  return {
    name,
    host: config.host === 'preserve' ? null : config.host === 'upstream' ? authority : config.host,
    authority,
    fields,
    shares: new UpstreamShares(limits, () => pool.maxConnections),
    pool,
  };
}

/** As it stands in a Host field: without the port that the scheme implies (RFC 9110 §4.2). */
function authorityOf(host: string, port: number, secure: boolean): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return port === (secure ? 443 : 80) ? name : `${name}:${port}`;
}

/** As it stands in the log and in the metrics. */
function nameOf({ host, port }: UpstreamAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

const HEALTH_WORDS = {
  ejected: 'an upstream address fails and is left out for a while',
  back: 'an upstream address that was left out answers',
  unhealthy: 'an upstream address fails its health checks and is left out',
  healthy: 'an upstream address passes its health checks again',
} as const;

function tlsOf(config: UpstreamConfig, nowMs: number): UpstreamTls {
  const material = loadClientMaterial(config.tls, nowMs);
  return {
    context: clientContext(material),
    serverName: material.serverName,
    rejectUnauthorized: material.verify,
  };
}

/** For the gauge `sallyport_upstream_connections`. */
export function* connectionCounts(
  upstreams: ReadonlyMap<string, Upstream>,
): Iterable<ConnectionCount> {
  for (const { name, pool } of upstreams.values()) {
    const { idle, active, connecting } = pool.counts();
    yield { upstream: name, state: 'idle', count: idle };
    yield { upstream: name, state: 'active', count: active };
    yield { upstream: name, state: 'connecting', count: connecting };
  }
}

/** For the gauge `sallyport_upstream_healthy`. */
export function* addressUses(upstreams: ReadonlyMap<string, Upstream>): Iterable<AddressUse> {
  for (const { name, pool } of upstreams.values()) {
    for (const { address, usable } of pool.states())
      yield { upstream: name, address: nameOf(address), usable };
  }
}

/**
 * For readiness: a warning, not more. An instance that called itself unready because a service
 * behind it is away would be taken out together with all others, and with the services that are
 * well. Names and numbers only: the probe is answered to whoever asks.
 */
export function upstreamsResult(upstreams: ReadonlyMap<string, Upstream>): CheckResult {
  const problems: string[] = [];
  for (const { name, pool } of upstreams.values()) {
    const states = pool.states();
    const left = states.filter(({ usable }) => !usable).length;
    if (left > 0) problems.push(`${name}: ${left} of ${states.length} addresses fail`);
  }
  return problems.length === 0 ? { state: 'ok' } : { state: 'warning', why: problems.join('; ') };
}
