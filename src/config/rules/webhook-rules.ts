import { isReference } from '../environment.ts';
import type { Report } from '../faults.ts';
import type { YamlSource } from '../yaml-source.ts';
import { group, has, list, type Raw } from './raw.ts';

export function checkSecretsOfWebhooks(file: Raw, source: YamlSource, report: Report): void {
  for (const [index, value] of list(file.webhooks).entries()) {
    const hook = group(value);
    const path = ['webhooks', index, 'secret'];
    const [given, fromFile] = [has(hook, 'secret'), has(hook, 'secretFile')];
    if (!given && !fromFile) report.fault(['webhooks', index, 'secretFile'], 'is missing');
    if (given && fromFile) report.fault(path, 'either secret or secretFile, not both');
    if (given && !isReference(source.written(path)))
      report.fault(
        path,
        'a secret is not written into this file: use secretFile, or a variable of the environment',
      );
  }
}
