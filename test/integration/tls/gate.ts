import { Agent, type RequestOptions, request } from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import type { Config } from '../../../src/config/schema.ts';
import type { CertificateFiles } from '../../../src/tls/certificate.ts';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import { type RawUpstream, startRawUpstream } from '../../support/raw-upstream.ts';

export interface TlsSettings {
  readonly certificates: readonly CertificateFiles[];
  readonly clientCaFile?: string;
}

export interface TlsGate {
  readonly gate: TestGateway;
  readonly upstream: RawUpstream;
  /** As a changed configuration file would. */
  reload(tls: TlsSettings): void;
}

/** A gate with certificates of the test's. */
export async function startTlsGate(
  tls: TlsSettings,
  limits: Readonly<Record<string, number>> = {},
): Promise<TlsGate> {
  const upstream = await startRawUpstream({});
  const upstreams = { raw: { addresses: [upstream.url] } };
  const listen = (settings: TlsSettings) => ({
    proxy: { address: '127.0.0.1:0', tls: settings },
    ops: { address: '127.0.0.1:0' },
  });
  const gate = await startGateway({ upstreams, limits, config: { listen: listen(tls) } });
  onTestFinished(async () => {
    await gate.stop();
    await upstream.stop();
  });
  const { instance, store, routes } = gate.config;
  const configOf = (settings: TlsSettings): Config => {
    const text = JSON.stringify({
      listen: listen(settings),
      store: { kind: 'embedded' },
      upstreams,
      limits,
    });
    return {
      ...parseConfig(text, join(gate.dataDir, 'other.yaml')).config,
      instance,
      store,
      routes,
    };
  };
  return { gate, upstream, reload: (settings) => gate.gateway.reload(configOf(settings)) };
}

export interface Seen {
  readonly status: number;
  readonly body: string;
  /**
   * Serial number of the certificate that was shown; null on a connection that resumed a session
   * without one.
   */
  readonly serial: string | null;
}

/** One GET of the gate. Without `agent`: over a connection of its own, with a full handshake. */
export function call(
  gate: TestGateway,
  options: RequestOptions,
  host = 'localhost',
): Promise<Seen> {
  const headers = {
    host: `${host}:${gate.port}`,
    authorization: `Bearer ${gate.token}`,
    ...options.headers,
  };
  const agent = options.agent ?? new Agent({ maxCachedSessions: 0 });
  return new Promise((resolve, reject) => {
    const asked = request({
      host: '127.0.0.1',
      port: gate.port,
      servername: host,
      path: '/x',
      agent,
      ...options,
      headers,
    });
    asked.once('error', reject);
    asked.once('response', (response) => {
      const serial = (response.socket as TLSSocket).getPeerCertificate().serialNumber ?? null;
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response
        .once('error', reject)
        .once('end', () => resolve({ status: response.statusCode ?? 0, body, serial }));
    });
    asked.end();
  });
}
