import type { ConfigPath, Report } from '../faults.ts';
import { has, type Raw } from './raw.ts';

export function checkClientCertificate(tls: Raw, path: ConfigPath, report: Report): void {
  for (const [given, missing] of [
    ['certificateFile', 'keyFile'],
    ['keyFile', 'certificateFile'],
  ] as const) {
    if (has(tls, given) && !has(tls, missing))
      report.fault([...path, missing], `is missing: ${given} needs it`);
  }
}

export function checkVerification(tls: Raw, path: ConfigPath, report: Report): void {
  if (tls.verify === false)
    report.warning(
      [...path, 'verify'],
      'the certificate is not verified: whoever is on the way can pose as the server',
    );
}
