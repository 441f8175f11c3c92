import { createHash } from 'node:crypto';
import type { Config, UpstreamConfig } from '../config/schema.ts';
import type { Deadlines } from '../deadlines.ts';
import { type UpstreamFieldRules, upstreamFieldRules } from '../forwarding/field-rules.ts';
import type { Upstream } from '../forwarding/upstream.ts';
import { socketPathOf } from '../http/socket-address.ts';
import { systemNames } from '../names/system.ts';
import type { CheckResult } from '../ops/readiness.ts';
import type { Log } from '../telemetry/log.ts';
import type { AddressUse } from '../telemetry/sources.ts';
import type { UpstreamMeter } from '../telemetry/upstream-meter.ts';
import { clientContext, loadClientMaterial } from '../tls/client-material.ts';
import type { DescriptorBudget } from '../upstream/descriptors.ts';
import { serviceOf, type UpstreamAddress, type UpstreamTls } from '../upstream/dialer.ts';
import type { PlaceStates } from '../upstream/place-states.ts';
import { UpstreamPool } from '../upstream/pool.ts';
import type { UpstreamShares } from '../upstream/shares.ts';

/** An upstream as a configuration has it, with what was read for it. */
export interface PreparedUpstream {
  readonly config: UpstreamConfig;
  /** Null = plain HTTP. */
  readonly tls: UpstreamTls | null;
  /** What its certificates, keys and CAs say, to be compared. */
  readonly tlsDigest: string;
  readonly fields: UpstreamFieldRules | null;
}

/** Throws `CertificateFault` for PEM files that do not serve. Changes nothing. */
export function prepareUpstream(
  config: UpstreamConfig,
  routes: Config['routes'],
  nowMs: number,
): PreparedUpstream {
  const ofRoutes = routes.filter((route) => route.upstream === config.name);
  const fields = upstreamFieldRules(config.headers, ofRoutes);
  if (!config.addresses[0]!.secure) return { config, fields, tls: null, tlsDigest: '' };
  const material = loadClientMaterial(config.tls, nowMs);
  const tls = {
    context: clientContext(material),
    serverName: material.serverName,
    rejectUnauthorized: material.verify,
  };
  const tlsDigest = createHash('sha256').update(JSON.stringify(material)).digest('base64');
  return { config, fields, tls, tlsDigest };
}

/** What pools are made with beside the configuration. */
export interface PoolSurroundings {
  readonly deadlines: Deadlines;
  readonly budget: DescriptorBudget;
  readonly log: Log;
  readonly meter: UpstreamMeter;
}

/** @param former of the same upstream, which a reload replaces */
export function openPool(
  { config, tls, fields }: PreparedUpstream,
  places: PlaceStates,
  former: UpstreamPool | null,
  { deadlines, budget, log, meter }: PoolSurroundings,
): UpstreamPool {
  const number = meter.upstream(config.name);
  const { name, connectTimeoutMs, responseTimeoutMs, maxConnections } = config;
  const { addresses, ejection, healthCheck } = config;
  return new UpstreamPool(
    {
      addresses,
      tls,
      protocol: config.protocol,
      maxConnections,
      maxConnectionAgeMs: config.maxConnectionAgeMs,
      names: systemNames,
      places,
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
      streamIdleTimeoutMs: config.streamIdleTimeoutMs ?? responseTimeoutMs,
      ejection,
      healthCheck,
      checkHost: ({ host, port }) => hostTowards(config, authorityOf(host, port, tls !== null)),
      checkFields: () => fields?.own?.fields ?? null,
      healthChanged: (address, change, why) => {
        const level = change === 'back' || change === 'healthy' ? 'info' : 'warn';
        if (level === 'warn') meter.ejected(number);
        log[level](HEALTH_WORDS[change], { upstream: name, address: nameOf(address), why });
      },
    },
    deadlines,
    former,
  );
}

export function upstreamOf(
  { config, tls, fields }: PreparedUpstream,
  pool: UpstreamPool,
  shares: UpstreamShares,
  meter: UpstreamMeter,
): Upstream {
  const number = meter.upstream(config.name);
  const { host, port } = config.addresses[0]!;
  const authority = authorityOf(host, port, tls !== null);
  return {
    name: config.name,
    host: config.host === 'preserve' ? null : hostTowards(config, authority),
    authority,
    streams: config.protocol !== 'http1',
    fields,
    shares,
    pool,
    retried: () => meter.retried(number),
  };
}

/** The Host of requests of our own, which have no client's to pass on: health checks. */
function hostTowards({ host }: UpstreamConfig, authority: string): string {
  return host === 'preserve' || host === 'upstream' ? authority : host;
}

/** As it stands in a Host field: without the port that the scheme implies (RFC 9110 §4.2). */
function authorityOf(host: string, port: number, secure: boolean): string {
  // As others name a socket, which has no authority (nginx, curl).
  if (socketPathOf(host) !== null) return 'localhost';
  // The name behind `_service._tcp`.
  const service = serviceOf(host);
  if (service !== null) return service.split('.').slice(2).join('.');
  const name = host.includes(':') ? `[${host}]` : host;
  return port === (secure ? 443 : 80) ? name : `${name}:${port}`;
}

/** As it stands in the log and in the metrics. */
function nameOf({ host, port }: UpstreamAddress): string {
  if (socketPathOf(host) !== null || serviceOf(host) !== null) return host;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

const HEALTH_WORDS = {
  ejected: 'an upstream address fails and is left out for a while',
  back: 'an upstream address that was left out answers',
  unhealthy: 'an upstream address fails its health checks and is left out',
  healthy: 'an upstream address passes its health checks again',
} as const;

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
 * well. Names and numbers only: `/readyz` needs no authentication.
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
