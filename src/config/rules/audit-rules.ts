import type { Report } from '../faults.ts';
import { group, list, type Raw, text } from './raw.ts';

/** Fields in which proxies tell the address of a client. */
const ADDRESSES =
  /^(?:forwarded|x-forwarded|x-forwarded-for|x-original-forwarded-for|x-real-ip|.*client-?ip|.*connecting-ip.*|.*remote-(?:addr|ip).*|x-cluster-client-ip|fastly-client-ip|x-appengine-user-ip|x-envoy-external-address)$/;

/** What is kept out of one field does not come in by another. */
export function checkAudit(file: Raw, report: Report): void {
  const { clientAddress, headers } = group(file.audit);
  if (clientAddress !== 'truncated' && clientAddress !== 'hashed') return;
  for (const [at, name] of list(headers).entries()) {
    if (!ADDRESSES.test((text(name) ?? '').toLowerCase())) continue;
    report.fault(
      ['audit', 'headers', at],
      `holds addresses of clients, which audit.clientAddress: ${clientAddress} keeps out`,
    );
  }
}
