import type { Report } from '../faults.ts';
import { group, has, list, type Raw, text } from './raw.ts';

const ELSEWHERE =
  'and at the decision endpoint, where no certificate of a client is known, it is refused';

/** Accounts that are bound to a certificate which nobody here asks for. */
export function checkAccounts(file: Raw, report: Report): void {
  const listen = group(file.listen);
  const tls = group(group(listen.proxy).tls);
  const asked = text(tls.clientCertificates);
  const hasCa = has(tls, 'clientCaFile');
  const asks = asked === null ? hasCa : asked !== 'none';
  list(group(file.accounts).serviceAccounts).forEach((account, index) => {
    const boundTo = group(group(account).boundTo);
    if (Object.keys(boundTo).length === 0) return;
    const path = ['accounts', 'serviceAccounts', index, 'boundTo'];
    if (has(listen, 'proxy') && !asks)
      report.warning(
        path,
        'listen.proxy.tls asks clients for no certificate (clientCertificates), so the account is refused',
      );
    else if (has(listen, 'proxy') && has(boundTo, 'subject') && !hasCa)
      report.warning(
        path,
        'no clientCaFile of listen.proxy.tls vouches for a subject, so the account is refused',
      );
    if (has(listen, 'decision')) report.warning(path, `the account is bound, ${ELSEWHERE}`);
  });
}
