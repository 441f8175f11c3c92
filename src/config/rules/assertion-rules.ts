import { isReference } from '../environment.ts';
import type { Report } from '../faults.ts';
import type { YamlSource } from '../yaml-source.ts';
import { group, has, type Raw, text } from './raw.ts';

export function checkAssertions(file: Raw, source: YamlSource, report: Report): void {
  const section = group(file.assertion);
  const [given, fromFile] = [has(section, 'sealingKey'), has(section, 'sealingKeyFile')];
  const path = ['assertion', 'sealingKey'];
  if (given && fromFile) report.fault(path, 'either sealingKey or sealingKeyFile, not both');
  if (given && !isReference(source.written(path)))
    report.fault(
      path,
      'a secret is not written into this file: use sealingKeyFile, or a variable of the environment',
    );
  const wishes = Object.entries(group(file.upstreams)).flatMap(([name, upstream]) => {
    const { assertion } = group(upstream);
    return assertion === undefined || assertion === null ? [] : [{ name, ...group(assertion) }];
  });
  if (group(file.store).kind !== 'redis') {
    if (given || fromFile)
      report.fault(
        fromFile ? ['assertion', 'sealingKeyFile'] : path,
        'only with store.kind: redis: the folder of an embedded store has a sealing key of its own',
      );
  } else if (wishes.length > 0 && !given && !fromFile) {
    report.fault(
      ['assertion', 'sealingKeyFile'],
      'is missing: the keys that sign assertions are sealed with it in Redis',
    );
  }
  checkAudiences(wishes, report);
}

function checkAudiences(
  wishes: readonly { readonly name: string; readonly audience?: unknown }[],
  report: Report,
): void {
  const first = new Map<string, string>();
  for (const { name, audience } of wishes) {
    const said = text(audience);
    if (said === null) continue;
    const other = first.get(said);
    if (other === undefined) first.set(said, name);
    else
      report.warning(
        ['upstreams', name, 'assertion', 'audience'],
        `is that of ${other}, too: each of the two services can show to the other what it was told`,
      );
  }
}
