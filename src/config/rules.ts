import type { Report } from './faults.ts';
import { checkAccounts } from './rules/account-rules.ts';
import { checkAssertions } from './rules/assertion-rules.ts';
import { checkAudit } from './rules/audit-rules.ts';
import { checkIdentity } from './rules/identity-rules.ts';
import { checkListen } from './rules/listen-rules.ts';
import { group } from './rules/raw.ts';
import { checkRoutes } from './rules/route-rules.ts';
import { checkStore } from './rules/store-rules.ts';
import { checkUpstreams } from './rules/upstream-rules.ts';
import { checkSecretsOfWebhooks } from './rules/webhook-rules.ts';
import { checkWorkerParts } from './rules/worker-rules.ts';
import type { YamlSource } from './yaml-source.ts';

/** All rules between keys. `value` is the file as plain values, well-formed or not. */
export function checkRules(value: unknown, source: YamlSource, report: Report): void {
  const file = group(value);
  checkListen(file, report);
  checkStore(file, source, report);
  checkWorkerParts(file, report);
  checkUpstreams(file, source, report);
  checkRoutes(file, source, report);
  checkIdentity(file, source, report);
  checkAudit(file, report);
  checkAssertions(file, source, report);
  checkAccounts(file, report);
  checkSecretsOfWebhooks(file, source, report);
}
