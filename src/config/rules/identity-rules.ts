import { isReference } from '../environment.ts';
import type { Report } from '../faults.ts';
import type { YamlSource } from '../yaml-source.ts';
import { group, has, type Raw } from './raw.ts';

export function checkIdentity(file: Raw, source: YamlSource, report: Report): void {
  if (!has(file, 'identity')) return;
  const identity = group(file.identity);
  const path = ['identity', 'clientSecret'];
  const [given, fromFile] = [has(identity, 'clientSecret'), has(identity, 'clientSecretFile')];
  if (!given && !fromFile) report.fault(['identity', 'clientSecretFile'], 'is missing');
  if (given && fromFile) report.fault(path, 'either clientSecret or clientSecretFile, not both');
  if (given && !isReference(source.written(path)))
    report.fault(
      path,
      'a secret is not written into this file: use clientSecretFile, or a variable of the environment',
    );
}
