import type { Report } from '../faults.ts';
import type { YamlSource } from '../yaml-source.ts';
import { checkHeaders } from './header-rules.ts';
import { group, has, list, type Raw, text } from './raw.ts';
import { checkClientCertificate, checkVerification } from './tls-rules.ts';

export function checkUpstreams(file: Raw, source: YamlSource, report: Report): void {
  const used = new Set(list(file.routes).map((route) => text(group(route).upstream)));
  for (const [name, value] of Object.entries(group(file.upstreams))) {
    const path = ['upstreams', name];
    checkHeaders(group(value), path, source, report);
    checkSchemes(group(value), path, report);
    checkHealthCheck(group(value), path, report);
    const tls = group(group(value).tls);
    checkClientCertificate(tls, [...path, 'tls'], report);
    checkVerification(tls, [...path, 'tls'], report);
    if (!used.has(name)) report.warning(path, 'no route leads here');
  }
}

function checkHealthCheck(upstream: Raw, path: readonly string[], report: Report): void {
  if ((upstream.healthCheck ?? null) === null) return;
  const { path: byPath = null, grpcService = null } = group(upstream.healthCheck);
  const byGrpc = grpcService !== null;
  if (byGrpc === (byPath !== null))
    report.fault([...path, 'healthCheck'], 'either path or grpcService says what is asked');
  const protocol = text(upstream.protocol) ?? 'http1';
  if (byGrpc && protocol === 'http1')
    report.fault([...path, 'healthCheck', 'grpcService'], 'only with protocol h2 or h2c');
}

function isSecureService(address: string): boolean {
  return address.startsWith('srv+https:');
}

function checkSchemes(upstream: Raw, path: readonly string[], report: Report): void {
  const addresses = list(upstream.addresses).map((address) => text(address) ?? '');
  const secure = addresses.filter((address) => /^(?:srv\+)?https:/.test(address)).length;
  // A mixed list would send some calls in the clear, by chance.
  if (secure > 0 && secure < addresses.length)
    report.fault([...path, 'addresses'], 'either all http or all https');
  // Who answers for the name server would else choose the name that is verified.
  if (addresses.some(isSecureService) && !has(group(upstream.tls), 'serverName'))
    report.fault(
      [...path, 'tls', 'serverName'],
      'is missing: with srv+https the certificate must be of a name that is said here, not in the DNS',
    );
  const protocol = text(upstream.protocol);
  // Without TLS nobody agrees on it, and with TLS nothing but ALPN does.
  if (protocol === 'h2' && secure === 0 && addresses.length > 0)
    report.fault([...path, 'protocol'], 'h2 only with https addresses; h2c with http');
  if (protocol === 'h2c' && secure > 0)
    report.fault([...path, 'protocol'], 'h2c only with http addresses; h2 with https');
  if (has(upstream, 'tls') && secure === 0 && addresses.length > 0)
    report.fault([...path, 'tls'], 'only with https addresses');
}
