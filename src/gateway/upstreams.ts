import type { Config, UpstreamConfig } from '../config/schema.ts';
import type { Upstream } from '../forwarding/upstream.ts';
import type { ConnectionCount } from '../telemetry/metrics.ts';
import { clientContext, loadClientMaterial } from '../tls/client-material.ts';
import type { Deadlines } from '../wire/deadlines.ts';
import { UpstreamPool, type UpstreamTls } from '../wire/upstream-pool.ts';

/** The upstreams of a configuration, each with its pool. Throws `CertificateFault` for PEM files that do not serve. */
export function openUpstreams(config: Config, deadlines: Deadlines, nowMs: number): ReadonlyMap<string, Upstream> {
  return new Map(config.upstreams.map((upstream) => [upstream.name, openUpstream(upstream, deadlines, nowMs)]));
}

function openUpstream(config: UpstreamConfig, deadlines: Deadlines, nowMs: number): Upstream {
  const { name, connectTimeoutMs, responseTimeoutMs, maxConnections, addresses } = config;
  const { host, port, secure } = addresses[0]!;
  const authority = authorityOf(host, port, secure);
  return {
    name,
    host: config.host === 'preserve' ? null : config.host === 'upstream' ? authority : config.host,
    authority,
    pool: new UpstreamPool(
      {
        addresses,
        tls: secure ? tlsOf(config, nowMs) : null,
        maxConnections,
        connectTimeoutMs,
        responseTimeoutMs,
      },
      deadlines,
    ),
  };
}

/** As it stands in a Host field: without the port that the scheme implies (RFC 9110 §4.2). */
function authorityOf(host: string, port: number, secure: boolean): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return port === (secure ? 443 : 80) ? name : `${name}:${port}`;
}

function tlsOf(config: UpstreamConfig, nowMs: number): UpstreamTls {
  const material = loadClientMaterial(config.tls, nowMs);
  return { context: clientContext(material), serverName: material.serverName, rejectUnauthorized: material.verify };
}

/** For the gauge `sallyport_upstream_connections`. */
export function* connectionCounts(upstreams: ReadonlyMap<string, Upstream>): Iterable<ConnectionCount> {
  for (const { name, pool } of upstreams.values()) {
    const { idle, active, connecting } = pool.counts();
    yield { upstream: name, state: 'idle', count: idle };
    yield { upstream: name, state: 'active', count: active };
    yield { upstream: name, state: 'connecting', count: connecting };
  }
}
