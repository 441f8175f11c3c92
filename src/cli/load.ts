import { systemClock } from '../clock.ts';
import {
  type ConfigCheck,
  type LoadedConfig,
  type LoadOptions,
  loadConfig,
} from '../config/load.ts';
import type { HeaderChange } from '../config/sections/headers.ts';
import { findTies } from '../decision/route-ties.ts';
import { fieldNameFault } from '../forwarding/field-rules.ts';
import { CertificateFault, loadCertificate, readCertificates } from '../tls/certificate.ts';
import { loadClientMaterial } from '../tls/client-material.ts';
import { checkWebhooks } from '../webhooks/hooks.ts';

/**
 * A configuration with the checks of all rooms: what `serve` would stumble over, `check` finds.
 *
 * @param more checks beside those
 */
export function loadChecked(file: string, more: readonly ConfigCheck[] = []): LoadedConfig {
  return loadConfig(file, { checks: [...CHECKS, ...more] });
}

/** For whoever loads more than once. */
export function checked(): LoadOptions {
  return { checks: CHECKS };
}

const checkTies: ConfigCheck = (config, report) => {
  for (const { first, second, example } of findTies(config.routes)) {
    const index = config.routes.findIndex((route) => route.name === second.name);
    report.fault(
      ['routes', index],
      `${example} matches this route and ${first.name} equally well; make one of them more specific`,
    );
  }
};

const checkFields: ConfigCheck = (config, report) => {
  const check = (headers: HeaderChange | null, path: readonly (string | number)[]) => {
    const look = (name: string, here: readonly (string | number)[]) => {
      const fault = fieldNameFault(name);
      if (fault !== null) report.fault([...path, 'headers', ...here], fault);
    };
    for (const { name } of headers?.set ?? []) look(name, ['set', name]);
    for (const [index, name] of (headers?.remove ?? []).entries()) look(name, ['remove', index]);
  };
  for (const { name, headers } of config.upstreams) check(headers, ['upstreams', name]);
  for (const [index, route] of config.routes.entries()) {
    check(route.headers, ['routes', index]);
    const { headers = null } = config.upstreams.find(({ name }) => name === route.upstream) ?? {};
    const rules = [route.headers, headers];
    if (!route.forwardAuthorization || !rules.some(changesAuthorization)) continue;
    const why =
      'the upstream gets the Authorization of headers, so the client’s cannot be forwarded';
    report.fault(['routes', index, 'forwardAuthorization'], why);
  }
};

function changesAuthorization(headers: HeaderChange | null): boolean {
  const names = [...(headers?.set ?? []).map(({ name }) => name), ...(headers?.remove ?? [])];
  return names.some((name) => name.toLowerCase() === 'authorization');
}

const checkCertificates: ConfigCheck = (config, report) => {
  const nowMs = systemClock.wallMs();
  const check = (path: (string | number)[], load: () => unknown) => {
    try {
      load();
    } catch (error) {
      if (!(error instanceof CertificateFault)) throw error;
      report.fault(path, error.message);
    }
  };
  for (const listener of ['proxy', 'admin', 'decision'] as const) {
    const tls = config.listen[listener]?.tls ?? null;
    tls?.certificates.forEach((files, index) => {
      check(['listen', listener, 'tls', 'certificates', index], () =>
        loadCertificate(files, nowMs),
      );
    });
    const clientCa = tls?.clientCaFile ?? null;
    if (clientCa !== null)
      check(['listen', listener, 'tls', 'clientCaFile'], () => readCertificates(clientCa));
  }
  for (const { name, tls } of config.upstreams) {
    if (tls !== null) check(['upstreams', name, 'tls'], () => loadClientMaterial(tls, nowMs));
  }
  const collectorCa = config.telemetry.otlp?.caFile ?? null;
  if (collectorCa !== null)
    check(['telemetry', 'otlp', 'caFile'], () => readCertificates(collectorCa));
  for (const [index, { caFile }] of config.webhooks.entries())
    if (caFile !== null) check(['webhooks', index, 'caFile'], () => readCertificates(caFile));
  const { store, audit } = config;
  if (store.kind === 'redis' && store.tls !== null)
    check(['store', 'tls'], () => loadClientMaterial(store.tls, nowMs));
  const auditTls = audit.store?.tls ?? null;
  if (auditTls !== null)
    check(['audit', 'store', 'tls'], () => loadClientMaterial(auditTls, nowMs));
};

const CHECKS: readonly ConfigCheck[] = [checkTies, checkFields, checkCertificates, checkWebhooks];
