import { systemClock } from '../clock.ts';
import {
  type ConfigCheck,
  type LoadedConfig,
  type LoadOptions,
  loadConfig,
} from '../config/load.ts';
import { findTies } from '../decision/route-ties.ts';
import { CertificateFault, loadCertificate, readCertificates } from '../tls/certificate.ts';
import { loadClientMaterial } from '../tls/client-material.ts';

/** A configuration with the checks of all rooms: what `serve` would stumble over, `check` finds. */
export function loadChecked(file: string): LoadedConfig {
  return loadConfig(file, checked());
}

/** For whoever loads more than once. */
export function checked(): LoadOptions {
  return { checks: [checkTies, checkCertificates] };
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
  for (const listener of ['proxy', 'admin'] as const)
    config.listen[listener]?.tls?.certificates.forEach((files, index) => {
      check(['listen', listener, 'tls', 'certificates', index], () =>
        loadCertificate(files, nowMs),
      );
    });
  const clientCa = config.listen.proxy?.tls?.clientCaFile ?? null;
  if (clientCa !== null)
    check(['listen', 'proxy', 'tls', 'clientCaFile'], () => readCertificates(clientCa));
  for (const { name, tls } of config.upstreams) {
    if (tls !== null) check(['upstreams', name, 'tls'], () => loadClientMaterial(tls, nowMs));
  }
  const { store } = config;
  if (store.kind === 'redis' && store.tls !== null)
    check(['store', 'tls'], () => loadClientMaterial(store.tls, nowMs));
};
